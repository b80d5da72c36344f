-- Notes that a replica can take deliveries now. When nobody has noted that for longer than usual, nobody could meanwhile:
-- the time in between is added up.
--
-- KEYS  1 listening
-- ARGV  1 silence that is usual, ms
-- Returns {'noted', how long nobody could take deliveries, ms, all in all}
local now = now_ms()
local last = tonumber(redis.call('HGET', KEYS[1], 'at') or now)
redis.call('HSET', KEYS[1], 'at', int(now))
if now - last > tonumber(ARGV[1]) then redis.call('HINCRBY', KEYS[1], 'downMs', int(now - last)) end
return {'noted', redis.call('HGET', KEYS[1], 'downMs') or '0'}
