import base, { Priced as P, type Named } from "./base";
//     ^ import ./base - base
//             ^ import ./base Priced P
//                               ^ import ./base Named -
import * as util from "../util";
//          ^ import ../util - util
export { Shelf } from "./shelf";
//       ^ import ./shelf Shelf -
export * from "./kinds";
//     ^ import ./kinds * -
const fs = require("fs");
//    ^ import fs - fs
//    ^ variable fs
/** A cart. */
export class Cart<T> extends Base<T> implements P, Named {
//           ^ class Cart < Base, P, Named "A cart."
  private size: number = 0;
//        ^ attribute Cart.size
  constructor(readonly owner: string) { super(); }
  // <- method Cart.constructor
  get total(): number { const local = 1; return local; }
//    ^ method Cart.total
  add = (item: T) => { const inner = 1; };
  // <- method Cart.add
}
export interface Priced extends Named { price(): number; tax?: number }
//               ^ class Priced < Named
//                                      ^ method Priced.price
//                                                       ^ attribute Priced.tax
export enum Kind { Food, Tool = 2 }
//          ^ class Kind
//                 ^ variable Kind.Food
//                       ^ variable Kind.Tool
export type Prices = number[];
//          ^ type_alias Prices
export const limit = 3, helper = async (x: number) => { function deep() {} };
//           ^ variable limit
//                      ^ function helper
//                                                               ^ function helper.<locals>.deep
namespace shop.core { export function run() {} }
//        ^ module shop.core
//                                    ^ function shop.core.run
declare function ambient(x: string): void;
//               ^ function ambient
