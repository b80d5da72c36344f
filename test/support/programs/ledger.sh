#!/bin/sh
# Writes its pid into the ledger (first argument) again and again until it is killed: proof of who was alive when.
while :; do
  echo "$$" >>"$1"
  sleep 0.02
done
