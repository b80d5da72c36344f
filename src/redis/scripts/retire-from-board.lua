-- Takes projects down that nothing is shown of any more.
--
-- KEYS  1 board
-- ARGV  1.. projects
-- Returns {'retired', how many were there}
return {'retired', redis.call('HDEL', KEYS[1], unpack(ARGV))}
