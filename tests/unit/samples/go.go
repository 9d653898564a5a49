package shop

import (
	"fmt"
 // <- import fmt - -
	bar "example.com/a/b"
 // <- import example.com/a/b - bar
	. "strings"
 // <- import strings * -
)

// Cart holds things.
type Cart[T any] struct {
//   ^ class Cart "Cart holds things."
	Size, Max int
 // <- attribute Cart.Size
//     ^ attribute Cart.Max
	*Base
}
type Priced interface {
//   ^ class Priced
	Price() int
 // <- method Priced.Price
}
type Prices []int
//   ^ type_alias Prices
const Limit = 3
//    ^ variable Limit
var count, total = 1, 2
//  ^ variable count
//         ^ variable total

// Total adds up.
func (c *Cart[T]) Total(tax int) int { local := 1; return local }
//                ^ method Cart.Total "Total adds up."
func helper() {}
//   ^ function helper
