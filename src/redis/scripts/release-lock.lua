-- Releases a lock by its holder's token, never somebody else's.
--
-- KEYS  1 lock
-- ARGV  1 token
-- Returns 1 when released, 0 when it was not ours
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end -- guard: lock-owner
return redis.call('DEL', KEYS[1])
