-- Extends a lease that is still ours.
--
-- KEYS  1 lease
-- ARGV  1 value `instance:token`   2 TTL in ms
-- Returns 1 when extended, 0 when it is not ours any more
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end -- guard: lease-owner
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
