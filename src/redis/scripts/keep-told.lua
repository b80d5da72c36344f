-- Keeps what a service told of a run until an attempt makes it the run's end. Whoever is at work on the run hears of it.
--
-- KEYS  1 run   2 callback
-- ARGV  1 what was told   2 TTL ms   3 channel
-- Returns {'kept'} | {'ended'}: the run has its end already | {'contradicted'}: something else was told before
local told = redis.call('HGET', KEYS[2], 'told')
-- The answer to the first time was lost: the service says the same once more, perhaps long after the end.
if told == ARGV[1] then return {'kept'} end -- guard: said-twice
if has_ended(redis.call('HGET', KEYS[1], 'state')) then return {'ended'} end -- guard: ended
if told then return {'contradicted'} end -- guard: first-word
redis.call('HSET', KEYS[2], 'told', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PUBLISH', ARGV[3], 'told')
return {'kept'}
