#include <vector>
//       ^ import vector - -
#include "shop.hpp"
//       ^ import shop.hpp - -
using std::string;
//         ^ import std string -
namespace shop {
//        ^ module shop
class Base { public: virtual ~Base(); };
//    ^ class shop.Base
//                           ^ method shop.Base.~Base
// A cart.
class Cart : public Base {
//    ^ class shop.Cart < Base "A cart."
public:
    Cart(int size);
//  ^ method shop.Cart.Cart
    int total() const { return size_; }
//      ^ method shop.Cart.total
    virtual void add(int item);
//               ^ method shop.Cart.add
    int& at(int k);
//       ^ method shop.Cart.at
private:
    int size_ = 0;
//      ^ attribute shop.Cart.size_
    std::vector<int> *items;
//                    ^ attribute shop.Cart.items
};
template <typename T> struct Box { T value; };
//                           ^ class shop.Box
//                                   ^ attribute shop.Box.value
enum class Kind { Food, Tool };
//         ^ class shop.Kind
//                ^ variable shop.Kind.Food
//                      ^ variable shop.Kind.Tool
using Prices = std::vector<int>;
//    ^ type_alias shop.Prices
int Cart::total2() { return 1; }
//        ^ method shop.Cart.total2
Cart::Cart(int size) : size_(size) {}
//    ^ method shop.Cart.Cart
bool operator==(const Cart& a, const Cart& b) { return true; }
//   ^ method shop.operator==
}
