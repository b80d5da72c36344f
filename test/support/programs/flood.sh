#!/bin/sh
# Prints as many bytes as the first argument says, then a last line.
head -c "$1" /dev/zero | tr '\0' x
printf '\nthe end \342\234\223\n'
