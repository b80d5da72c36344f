-- Notes under which id a platform knows the place that a source names.
--
-- KEYS  1 places
-- ARGV  1 source key   2 id
-- Returns 1 when it is new, 0 when it was known by an earlier id
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
