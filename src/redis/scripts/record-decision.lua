-- Remembers why something happened to a ticket, or why nothing did; only when that has changed.
--
-- KEYS  1 ticket   2 decisions
-- ARGV  1 the decision in one word group, compared with the last one   2 most entries kept   3 ticket TTL ms
--       4.. field, value, ... of the entry
-- Returns 1 when written, 0 when it is the same as before
if redis.call('HGET', KEYS[1], 'decision') == ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'decision', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 4))
return 1
