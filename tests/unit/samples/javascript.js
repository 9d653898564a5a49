const { join } = require("path");
//      ^ import path join -
import thing from "./thing.js";
//     ^ import ./thing.js - thing
class Cart extends Base { #size = 0; static make() {} total() {} }
//    ^ class Cart < Base
//                        ^ attribute Cart.#size
//                                          ^ method Cart.make
//                                                    ^ method Cart.total
function helper(a, b) { var local = 1; }
//       ^ function helper
module.exports = { Cart, helper };
var old = function () {};
//  ^ function old
