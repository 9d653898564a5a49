import Foundation
//     ^ import Foundation - -
/// A cart.
class Cart: Base, Priced {
//    ^ class Cart < Base, Priced "A cart."
    var size: Int = 0
//      ^ attribute Cart.size
    init(size: Int) { }
//  ^ method Cart.init
    func total(tax: Int) -> Int { let local = 1; return local }
//       ^ method Cart.total
}
struct Point { let x: Int }
//     ^ class Point
//                 ^ attribute Point.x
enum Kind { case food, tool }
//   ^ class Kind
//               ^ variable Kind.food
//                     ^ variable Kind.tool
protocol Priced { func price() -> Int }
//       ^ class Priced
//                     ^ method Priced.price
extension Point { func moved() -> Point { return self } }
//                     ^ method Point.moved
func helper() {}
//   ^ function helper
let limit = 3
//  ^ variable limit
typealias Prices = [Int]
//        ^ type_alias Prices
