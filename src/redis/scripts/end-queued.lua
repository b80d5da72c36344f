-- Ends a run that waits in the queue: cancelled before it started, or never startable. Not while Redis recovers: a failover
-- may have set the run back into the queue, and its worker is about to report.
--
-- KEYS  1 run   2 ticket   3 runs:queued   4 runs:<terminal state>   5 runs:unconfirmed   6 incarnation
-- ARGV  1 run id   2 turn   3 terminal state   4 reason   5 run TTL ms   6 ticket TTL ms   7 label due in ms
--       8 recovery wait ms
-- Returns {'finished'} | {'superseded'} | {'recovering', ms}
local now = now_ms()
local wait = recovering_ms(KEYS[6], tonumber(ARGV[8]), now)
if wait ~= 0 then return {'recovering', int(wait)} end -- guard: recovering
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn')
if seen[1] ~= 'queued' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: turn
end_run(KEYS[1], now, ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], int(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', int(now - tonumber(ARGV[5])))
redis.call('ZADD', KEYS[5], int(now + tonumber(ARGV[7])), ARGV[1])
return {'finished'}
