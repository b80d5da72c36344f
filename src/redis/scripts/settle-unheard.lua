-- Whether whoever did the work of a run has heard of its end: then that is done with, otherwise it is told later.
--
-- KEYS  1 unheard
-- ARGV  1 run id   2 ms until it is told again, '' = no more
-- Returns {'settled'}
if ARGV[2] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], 'XX', int(now_ms() + tonumber(ARGV[2])), ARGV[1])
end
return {'settled'}
