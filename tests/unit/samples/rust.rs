use std::collections::HashMap;
//                    ^ import std::collections HashMap -
use crate::shop::{Cart, total as sum};
//                ^ import crate::shop Cart -
//                      ^ import crate::shop total sum
mod helpers;
//  ^ import helpers - -
//  ^ module helpers

/// A price in cents.
#[derive(Debug)]
pub struct Price {
//         ^ class Price "A price in cents."
    pub cents: u64,
//      ^ attribute Price.cents
}

pub enum Kind { Food, Tool(u8) }
//       ^ class Kind
//              ^ variable Kind.Food
//                    ^ variable Kind.Tool

pub trait Priced: Clone {
//        ^ class Priced < Clone
    fn price(&self) -> Price;
//     ^ method Priced.price
}

impl<T> Priced for Shelf<T> {
    fn price(&self) -> Price { Price { cents: 1 } }
//     ^ method Shelf.price
}

mod inner {
//  ^ module inner
    pub const LIMIT: usize = 3;
//            ^ variable inner.LIMIT
    pub fn run() { fn deep() {} }
//         ^ function inner.run
//                    ^ function inner.run.<locals>.deep
}

type Prices = HashMap<String, Price>;
//   ^ type_alias Prices
macro_rules! price { () => {}; }
//           ^ function price
