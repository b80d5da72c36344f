-- Step 2 of an attempt: `queued` becomes `running`, in one script with the attempt's fence and its first heartbeat.
--
-- KEYS  1 run   2 ticket   3 heartbeat   4 incarnation   5 runs:queued   6 runs:running   7 runs:unconfirmed
-- ARGV  1 run id   2 turn   3 worker   4 heartbeat TTL ms   5 recovery wait ms   6 label due in ms
-- Returns {'started', run record} | {'recovering', ms} | {'dropped', state or ''} | {'cancel-requested', by}
local now = now_ms()
local wait = recovering_ms(KEYS[4], tonumber(ARGV[5]), now)
if wait ~= 0 then return {'recovering', int(wait)} end -- guard: recovering
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn', 'cancelRequested', 'attempt', 'admittedAtMs', 'project')
if seen[1] ~= 'queued' or seen[2] ~= ARGV[2] then return {'dropped', seen[1] or ''} end -- guard: turn
if redis.call('HGET', KEYS[2], 'run') ~= ARGV[1] then return {'dropped', 'superseded'} end -- guard: ticket-run
if seen[3] then return {'cancel-requested', seen[3]} end -- guard: cancel-requested
-- Its admission was lost after its job had been added; it will be admitted again, and get another.
if seen[5] == '0' then return {'dropped', 'waiting'} end -- guard: admitted
local attempt = tonumber(seen[4] or 0) + 1
local fence = next_fence(KEYS[2], now)
redis.call('HSET', KEYS[1], 'state', 'running', 'attempt', attempt, 'attemptFence', int(fence), 'worker', ARGV[3],
  'startedAtMs', int(now), 'sinceMs', int(now), 'labelState', 'unconfirmed', 'takes', 0, 'postponed', 0)
redis.call('SET', KEYS[3], ARGV[1] .. ':' .. attempt .. ':' .. int(fence), 'PX', ARGV[4])
redis.call('DEL', vain_of(home_of(KEYS[1]), seen[6] or ''))
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('ZADD', KEYS[6], int(now), ARGV[1])
redis.call('ZADD', KEYS[7], int(now + tonumber(ARGV[6])), ARGV[1])
return {'started', record(KEYS[1])}
