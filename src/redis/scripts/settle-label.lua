-- Notes what became of the label of the state that a run is in. A run that has moved on keeps its label unconfirmed.
--
-- KEYS  1 run   2 runs:unconfirmed
-- ARGV  1 run id   2 `sinceMs` of the state that was projected   3 confirmed | unwritable | retry | doubt
--       4 reason   5 for retry: due in ms
-- `doubt` makes a confirmed label ours to repair again and counts it. Returns {'settled', doubts} or {'moved-on', state or ''}
local seen = redis.call('HMGET', KEYS[1], 'state', 'sinceMs')
if not seen[1] or seen[2] ~= ARGV[2] then return {'moved-on', seen[1] or ''} end
local now = now_ms()
local doubts = tonumber(redis.call('HGET', KEYS[1], 'labelDoubts') or 0)
if ARGV[3] == 'retry' then
  redis.call('ZADD', KEYS[2], int(now + tonumber(ARGV[5])), ARGV[1])
  redis.call('HSET', KEYS[1], 'labelReason', ARGV[4])
elseif ARGV[3] == 'doubt' then
  doubts = redis.call('HINCRBY', KEYS[1], 'labelDoubts', 1)
  redis.call('HSET', KEYS[1], 'labelState', 'unconfirmed')
  redis.call('ZADD', KEYS[2], int(now), ARGV[1])
else
  redis.call('HSET', KEYS[1], 'labelState', ARGV[3], 'confirmedAtMs', int(now))
  if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'labelReason', ARGV[4]) end
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return {'settled', doubts}
