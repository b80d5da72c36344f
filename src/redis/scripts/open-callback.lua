-- An attempt makes the token of its callback known, and learns what a service has told of the run so far. Said again at every
-- heartbeat: so a Redis that has lost its data knows the token again, and a message that was missed is made up for.
--
-- KEYS  1 run   2 callback
-- ARGV  1 attempt   2 its fence   3 SHA-256 of the token   4 TTL ms
-- Returns {'open', what was told or ''} | {'superseded'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'attemptFence')
if seen[1] ~= 'running' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: attempt-fence
redis.call('HSET', KEYS[2], 'token:' .. ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'open', redis.call('HGET', KEYS[2], 'told') or ''}
