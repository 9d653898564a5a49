require "json"
#        ^ import json - -
require_relative "shop/base"
#                 ^ import shop/base - -
LIMIT = 3
# <- variable LIMIT
module Shop
#      ^ module Shop
  # A cart.
  class Cart < Base
#       ^ class Shop.Cart < Base "A cart."
    attr_reader :size, :name
#                ^ property Shop.Cart.size
#                       ^ property Shop.Cart.name
    def initialize(size)
#       ^ method Shop.Cart.initialize
      @size = size
    end
    def self.empty
#            ^ method Shop.Cart.empty
      new(0)
    end
    def total?(tax = 1) = tax
#       ^ method Shop.Cart.total?
  end
end
def helper; end
#   ^ function helper
