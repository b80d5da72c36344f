-- Forgets the last polls of projects that are not polled any more.
--
-- KEYS  1 polls
-- ARGV  1.. projects
-- Returns {'retired', how many were there}
return {'retired', redis.call('HDEL', KEYS[1], unpack(ARGV))}
