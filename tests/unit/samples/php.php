<?php
namespace Shop\Core;
//        ^ module Shop\Core
use Shop\Base;
//  ^ import Shop\Base - -
use Shop\Priced as P;
//                 ^ import Shop\Priced - P
require 'helpers.php';
//      ^ import helpers.php - -
/** A cart. */
class Cart extends Base implements P {
//    ^ class Cart < Base, P "A cart."
    const LIMIT = 3;
//        ^ variable Cart.LIMIT
    private int $size = 0;
//               ^ attribute Cart.size
    public function __construct(int $size) { }
//                  ^ method Cart.__construct
    public static function empty(): self { return new self(0); }
//                         ^ method Cart.empty
}
interface Priced { function price(): int; }
//        ^ class Priced
//                          ^ method Priced.price
trait Named { public $name; }
//    ^ class Named
//                    ^ attribute Named.name
enum Kind { case Food; case Tool; }
//   ^ class Kind
//               ^ variable Kind.Food
//                          ^ variable Kind.Tool
function total(array $items) { return 1; }
//       ^ function total
