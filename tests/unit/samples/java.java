package shop;
import java.util.List;
//               ^ import java.util List -
import static java.lang.Math.*;
//                           ^ import java.lang.Math * -

/** A cart of things. */
public class Cart<T> extends Base implements Priced, Closeable {
//           ^ class Cart < Base, Priced, Closeable "A cart of things."
    private final List<T> items = null;
//                        ^ attribute Cart.items
    static final int LIMIT = 3;
//                   ^ attribute Cart.LIMIT
    public Cart(int size) { }
//         ^ method Cart.Cart
    public int total(int tax) { int local = 1; return local; }
//             ^ method Cart.total
    interface Priced { int price(); }
//            ^ class Cart.Priced
//                         ^ method Cart.Priced.price
    enum Kind { FOOD, TOOL }
//       ^ class Cart.Kind
//              ^ variable Cart.Kind.FOOD
//                    ^ variable Cart.Kind.TOOL
    record Point(int x, int y) { }
//         ^ class Cart.Point
}
