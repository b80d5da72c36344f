-- Compares the Redis server with the one that was seen last, and notes the moment when it is another one.
-- A missing note means that everything was lost (FLUSHALL, restart without a file), a different server that the last
-- writes may have been lost (failover, restart). Either way `since` starts the recovery window.
--
-- KEYS  1 incarnation
-- ARGV  1 run_id and master_replid of the server   2 id for a new incarnation   3 '1' = a missing note is no loss
-- Returns {id, since, 'same' | 'changed'}
local now = now_ms()
local seen = redis.call('HMGET', KEYS[1], 'id', 'server', 'since')
if seen[1] and seen[2] == ARGV[1] then return {seen[1], seen[3], 'same'} end
local since = int(now)
if not seen[1] and ARGV[3] == '1' then since = '0' end
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'server', ARGV[1], 'since', since)
return {ARGV[2], since, 'changed'}
