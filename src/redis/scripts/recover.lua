-- Compares the Redis server with the one that was seen last, and notes the moment when it is another one.
-- A missing note means that everything was lost (FLUSHALL, restart without a file), a different server that the last
-- writes may have been lost (failover, restart), a note older than one that was seen that an earlier server has come
-- back (a failover undone). Each starts the recovery window anew.
--
-- KEYS  1 incarnation
-- ARGV  1 run_id and master_replid of the server   2 id for a new incarnation   3 '1' = a missing note is no loss
--       4 `since` of the incarnation seen last, 0 for none
-- Returns {id, since, ms since then, 'same' | 'changed'}
local now = now_ms()
local seen = redis.call('HMGET', KEYS[1], 'id', 'server', 'since')
local known = seen[1] and seen[2] == ARGV[1] and tonumber(seen[3]) >= tonumber(ARGV[4]) -- guard: incarnation
if known then return {seen[1], seen[3], int(now - tonumber(seen[3])), 'same'} end
local since = now
if not seen[1] and ARGV[3] == '1' then since = 0 end -- guard: fresh-server
-- Everything waits for this note, also on a server whose memory is full: that lets a script go on writing which has
-- begun with what frees memory.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'server', ARGV[1], 'since', int(since))
return {ARGV[2], int(since), int(now - since), 'changed'}
