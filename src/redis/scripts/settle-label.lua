-- Notes what became of the label of the state that a run is in. A run that has moved on keeps its label unconfirmed.
-- When another run has the ticket by now, its label may just have been overwritten: that one becomes unconfirmed, and due.
-- Invariant: a run is in runs:unconfirmed exactly while its label state is `unconfirmed`.
--
-- KEYS  1 run   2 runs:unconfirmed   3 ticket
-- ARGV  1 run id   2 state that was projected   3 its `sinceMs`   4 confirmed | unwritable | refused | doubt   5 reason
--       for refused:  6 wait that the platform asked for, ms   7 shortest and   8 longest pause, ms
--                     9 refused for so long an ended run's label is unwritable, ms
--       10 prefix of run keys
-- `doubt` makes a confirmed label ours to repair again and counts it.
-- Returns {'settled', label state, doubts} or {'moved-on', state or ''}
local now = now_ms()
local current = redis.call('HGET', KEYS[3], 'run')
if current and current ~= ARGV[1] then
  local state = redis.call('HGET', ARGV[10] .. current, 'state')
  -- A claim that is still at work writes its label yet, and is due from then on.
  if state and state ~= 'received' then
    redis.call('HSET', ARGV[10] .. current, 'labelState', 'unconfirmed')
    redis.call('ZADD', KEYS[2], int(now), current)
  end
  return {'moved-on', ''}
end

local seen = redis.call('HMGET', KEYS[1], 'state', 'sinceMs', 'labelRefusedMs', 'labelDoubts', 'labelState')
if seen[1] ~= ARGV[2] or seen[2] ~= ARGV[3] then return {'moved-on', seen[1] or ''} end -- guard: label-state

local what = ARGV[4]
local due = now
if what == 'refused' then
  -- A refusal of an earlier state says nothing about this one.
  local first = tonumber(seen[3] or 0)
  if first < tonumber(ARGV[3]) then first = now end
  if has_ended(seen[1]) and now - first >= tonumber(ARGV[9]) then what = 'unwritable' end
  -- Pauses grow with the time that the platform has refused.
  local pause = math.min(math.max((now - first) / 2, tonumber(ARGV[7])), tonumber(ARGV[8]))
  due = now + math.max(pause, tonumber(ARGV[6]))
  redis.call('HSET', KEYS[1], 'labelRefusedMs', int(first))
else
  redis.call('HDEL', KEYS[1], 'labelRefusedMs')
end

local doubts = tonumber(seen[4] or 0)
-- Two who see the same contradiction count it once.
if what == 'doubt' and seen[5] ~= 'unconfirmed' then doubts = redis.call('HINCRBY', KEYS[1], 'labelDoubts', 1) end
if ARGV[5] == '' then redis.call('HDEL', KEYS[1], 'labelReason') else redis.call('HSET', KEYS[1], 'labelReason', ARGV[5]) end
if what == 'refused' or what == 'doubt' then
  redis.call('HSET', KEYS[1], 'labelState', 'unconfirmed')
  redis.call('ZADD', KEYS[2], int(due), ARGV[1])
  return {'settled', 'unconfirmed', doubts}
end
redis.call('HSET', KEYS[1], 'labelState', what, 'confirmedAtMs', int(now))
redis.call('ZREM', KEYS[2], ARGV[1])
return {'settled', what, doubts}
