local json = require("json")
--    ^ variable json
--                    ^ import json - -
local Cart = {}
--    ^ variable Cart
limit = 3
-- <- variable limit
-- Makes a cart.
function Cart.new(size)
--            ^ method Cart.new "Makes a cart."
  local inner = 1
  return inner
end
function Cart:total(tax) end
--            ^ method Cart.total
local function helper() end
--             ^ function helper
Cart.empty = function() end
--   ^ method Cart.empty
