-- Step 5 of a claim: `received` becomes `queued`, with its pipeline and policy. Turn 1.
--
-- KEYS  1 run   2 ticket   3 runs:received   4 runs:queued   5 runs:unconfirmed
-- ARGV  1 run id   2 fence   3 when the label becomes the projection's business, in ms from now
--       4.. field, value, ... (pipeline, label, policy)
-- Returns {'committed', turn} or {'superseded'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'fence')
if seen[1] ~= 'received' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: claim-fence
local now = now_ms()
redis.call('HSET', KEYS[1], 'state', 'queued', 'turn', 1, 'queuedAtMs', int(now), 'sinceMs', int(now),
  'labelState', 'unconfirmed', unpack(ARGV, 4))
local starts = redis.call('HGET', KEYS[2], 'starts') or ''
redis.call('HSET', KEYS[2], 'starts', starts == '' and int(now) or (starts .. ' ' .. int(now)))
redis.call('HDEL', KEYS[2], 'previous', 'failures', 'backoffUntil')
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], int(now), ARGV[1])
redis.call('ZADD', KEYS[5], int(now + tonumber(ARGV[3])), ARGV[1])
return {'committed', 1}
