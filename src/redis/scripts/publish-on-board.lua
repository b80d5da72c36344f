-- Shows what is known of a project to everybody.
--
-- KEYS  1 board
-- ARGV  1 TTL ms   2 project   3 its entry as JSON
-- Returns {'published'}
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'published'}
