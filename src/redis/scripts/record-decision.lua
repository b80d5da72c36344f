-- Remembers why something happened to a ticket, or why nothing did; only when that has changed.
--
-- KEYS  1 ticket   2 decisions
-- ARGV  1 the decision in one word group, compared with the last one   2 most entries kept   3 ticket TTL ms
--       4.. field, value, ... of the entry
-- Returns 1 when written, 0 when it is the same as before
local written = remember(KEYS[1], KEYS[2], ARGV[1], ARGV[2], {unpack(ARGV, 4)})
if written == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return written
