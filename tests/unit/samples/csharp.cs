using System;
//    ^ import System - -
using Text = System.Text;
//    ^ import System.Text - Text
namespace Shop.Core
//        ^ module Shop.Core
{
    /// <summary>A cart.</summary>
    public class Cart : Base, IPriced
//               ^ class Shop.Core.Cart < Base, IPriced "A cart."
    {
        private int size = 0;
//                  ^ attribute Shop.Core.Cart.size
        public int Total { get; set; }
//                 ^ property Shop.Core.Cart.Total
        public Cart(int size) { }
//             ^ method Shop.Core.Cart.Cart
        public int Add(int item) { int Local() { return 1; } return Local(); }
//                 ^ method Shop.Core.Cart.Add
//                                     ^ function Shop.Core.Cart.Add.<locals>.Local
        public delegate void Handler(int x);
//                           ^ type_alias Shop.Core.Cart.Handler
    }
    interface IPriced { int Price(); }
//            ^ class Shop.Core.IPriced
//                          ^ method Shop.Core.IPriced.Price
    struct Point { public int X; }
//         ^ class Shop.Core.Point
//                            ^ attribute Shop.Core.Point.X
    enum Kind { Food, Tool }
//       ^ class Shop.Core.Kind
//              ^ variable Shop.Core.Kind.Food
//                    ^ variable Shop.Core.Kind.Tool
    record Pair(int A, int B);
//         ^ class Shop.Core.Pair
}
