#include <stdio.h>
//       ^ import stdio.h - -
#include "shop.h"
//       ^ import shop.h - -
#define LIMIT 3
//      ^ variable LIMIT
#define MAX(a, b) ((a) > (b) ? (a) : (b))
//      ^ function MAX

typedef struct cart { int size; char *name; } cart_t;
//             ^ class cart
//                        ^ attribute cart.size
//                                    ^ attribute cart.name
//                                            ^ type_alias cart_t
enum kind { FOOD, TOOL };
//   ^ class kind
//          ^ variable kind.FOOD
//                ^ variable kind.TOOL
static int count = 0;
//         ^ variable count
char *names[3];
//    ^ variable names

/* Adds everything up. */
int total(struct cart *cart) {
//  ^ function total "Adds everything up."
    int local = 1;
    return local;
}
static char *name_of(int k) { return 0; }
//           ^ function name_of
