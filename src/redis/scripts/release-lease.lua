-- Gives up a lease that is still ours and wakes the followers.
--
-- KEYS  1 lease
-- ARGV  1 value `instance:token`   2 channel of the role
-- Returns 1 when released, 0 when it was not ours
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end -- guard: lease-owner
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], 'released')
return 1
