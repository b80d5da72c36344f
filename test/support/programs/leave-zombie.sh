#!/bin/sh
# Leaves a zombie in its group that nobody reaps: its parent has left the group by setsid, waits for nothing, and keeps
# the output open. Writes the pid of that parent into the ledger (first argument).
sh -c 'sh -c "exit 0" & echo "$$" >>"$1"; exec setsid sleep 300' parent "$1" &
until [ -s "$1" ] && [ "$(cat "/proc/$(cat "$1")/comm")" = sleep ]; do sleep 0.02; done
echo "zombie left behind"
