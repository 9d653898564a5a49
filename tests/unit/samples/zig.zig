const std = @import("std");
//    ^ import std - std
//    ^ variable std
/// A cart.
pub const Cart = struct {
//        ^ class Cart "A cart."
    size: u32,
//  ^ attribute Cart.size
    pub fn total(self: *Cart, tax: u32) u32 {
//         ^ method Cart.total
        const local = 1;
        return self.size + tax + local;
    }
};
const Kind = enum { food, tool };
//    ^ class Kind
//                  ^ attribute Kind.food
//                        ^ attribute Kind.tool
pub fn helper() void {}
//     ^ function helper
var count: u32 = 0;
//  ^ variable count
test "adds" {}
