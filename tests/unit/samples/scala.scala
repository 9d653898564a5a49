package shop
import shop.base.Base
import shop.{Priced, Named}
//           ^ import - Priced -
//                   ^ import - Named -
/** A cart. */
class Cart(val size: Int) extends Base with Priced {
//    ^ class Cart < Base "A cart."
//             ^ attribute Cart.size "A cart."
  val items = List(1)
//    ^ variable Cart.items
  def total(tax: Int): Int = { val local = 1; local }
//    ^ method Cart.total
}
object Cart { def empty = new Cart(0) }
//     ^ class Cart
//                ^ method Cart.empty
trait Priced { def price: Int }
//    ^ class Priced
//                 ^ method Priced.price
case class Point(x: Int, y: Int)
//         ^ class Point
//               ^ attribute Point.x
//                       ^ attribute Point.y
enum Kind { case Food, Tool }
//   ^ class Kind
//               ^ variable Kind.Food
//                     ^ variable Kind.Tool
type Prices = List[Int]
//   ^ type_alias Prices
