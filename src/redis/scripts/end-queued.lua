-- Ends a run that waits in the queue: cancelled before it started, or never startable. Not while Redis recovers: a failover
-- may have set the run back into the queue, and its worker is about to report. Nor while a service has told a result that the
-- caller does not know: it was promised that this becomes the run's end.
--
-- KEYS  1 run   2 ticket   3 runs:queued   4 runs:<terminal state>   5 runs:unconfirmed   6 incarnation   7 callback   8 result
--       9 unheard
-- ARGV  1 run id   2 turn   3 terminal state   4 reason   5 run TTL ms   6 ticket TTL ms   7 label due in ms
--       8 recovery wait ms   9 what the caller knows was told, '' = nothing   10 result, '' without one
-- Returns {'finished'} | {'superseded'} | {'recovering', ms} | {'told', what was told}
local now = now_ms()
local wait = recovering_ms(KEYS[6], tonumber(ARGV[8]), now)
if wait ~= 0 then return {'recovering', int(wait)} end -- guard: recovering
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn')
if seen[1] ~= 'queued' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: turn
local told = redis.call('HGET', KEYS[7], 'told') or ''
if told ~= ARGV[9] then return {'told', told} end -- guard: told
end_run(KEYS[1], now, ARGV[3], ARGV[4])
keep_result(KEYS[8], ARGV[10], ARGV[5])
-- Its end is no news to a service that has told it.
local begun = redis.call('HGET', KEYS[1], 'attempt') ~= '0'
if begun and told == '' then owe_news(KEYS[9], now, ARGV[1], ARGV[5]) end -- guard: unheard
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], int(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', int(now - tonumber(ARGV[5])))
redis.call('ZADD', KEYS[5], int(now + tonumber(ARGV[7])), ARGV[1])
return {'finished'}
