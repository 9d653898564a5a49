#!/bin/bash
source ./lib.sh
#      ^ import ./lib.sh - -
LIMIT=3
# <- variable LIMIT
export NAME=shop
#      ^ variable NAME
# Adds up.
total() {
# <- function total "Adds up."
  local sum=0
  echo "$sum"
}
function helper { :; }
#        ^ function helper
