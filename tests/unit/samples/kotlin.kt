package shop
import shop.base.Base
//     ^ import shop.base.Base - -
import shop.Priced as P
//                    ^ import shop.Priced - P

/** A cart. */
class Cart(val size: Int, name: String) : Base(), P {
//    ^ class Cart < Base, P "A cart."
//             ^ attribute Cart.size "A cart."
    val items = listOf<Int>()
//      ^ attribute Cart.items
    fun total(tax: Int): Int {
//      ^ method Cart.total
        val local = 1
        return local
    }
    companion object Maker {
//                   ^ class Cart.Maker
        fun empty() = Cart(0, "")
//          ^ method Cart.Maker.empty
    }
}
interface Priced {
//        ^ class Priced
    fun price(): Int
//      ^ method Priced.price
}
object Shelf {
//     ^ class Shelf
    const val LIMIT = 3
//            ^ attribute Shelf.LIMIT
}
enum class Kind { FOOD, TOOL }
//         ^ class Kind
//                ^ variable Kind.FOOD
//                      ^ variable Kind.TOOL
fun helper() = 1
//  ^ function helper
val count = 0
//  ^ variable count
typealias Prices = List<Int>
//        ^ type_alias Prices
