-- Step 5 of a claim: `received` becomes `queued`, with its pipeline and policy. Turn 1.
-- From here on the record itself refuses every other claim, so the lock has done its work and goes with the same step;
-- and the decision is written with the run that it made, so that no run is ever without its reason. A run whose project has no
-- backlog is admitted in the same step when there is room; every other waits in the backlog for `admit`.
--
-- KEYS  1 run   2 ticket   3 runs:received   4 runs:queued   5 runs:unconfirmed   6 claim lock   7 decisions   8 incarnation
--       9 backlog of the project   10 admitted of the project   11 admitted of the pipeline   12 free slots   13 offered
--       14 set-aside   15 vain turns of the project
-- ARGV  1 run id   2 fence   3 when the label becomes the projection's business, in ms from now, or '' when the claim has
--       read it back already   4 lock token
--       5 cap of the project and   6 of the pipeline, '' = none   7 recovery wait for starts, ms
--       8 the decision   9 most decisions kept   10 how many of the following belong to the run
--       11.. field, value, ... of the run (pipeline, label, policy), then field, value, ... of the decision
-- Returns {'committed', turn, 'admitted' | 'waiting', who asked to cancel meanwhile or ''} or {'superseded'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'fence', 'cancelRequested')
if seen[1] ~= 'received' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: claim-fence
local now = now_ms()

local function may_be_admitted()
  if redis.call('EXISTS', KEYS[9]) == 1 then return false end -- guard: backlog-first
  if redis.call('HEXISTS', KEYS[15], 'nextMs') == 1 then return false end -- guard: vain-turns
  if recovering_ms(KEYS[8], tonumber(ARGV[7]), now) ~= 0 then return false end -- guard: recovering
  if not below_cap(KEYS[10], ARGV[5]) then return false end -- guard: project-cap
  if not below_cap(KEYS[11], ARGV[6]) then return false end -- guard: pipeline-cap
  return room_in(KEYS[12], KEYS[13], now) > 0 or busy_in(KEYS[10], KEYS[14]) == 0
end

local admitted = may_be_admitted()
local last = 10 + tonumber(ARGV[10])
redis.call('HSET', KEYS[1], 'state', 'queued', 'turn', 1, 'queuedAtMs', int(now), 'sinceMs', int(now),
  'admittedAtMs', admitted and int(now) or 0, 'labelState', ARGV[3] == '' and 'confirmed' or 'unconfirmed',
  unpack(ARGV, 11, last))
local starts = redis.call('HGET', KEYS[2], 'starts') or ''
redis.call('HSET', KEYS[2], 'starts', starts == '' and int(now) or (starts .. ' ' .. int(now)))
redis.call('HDEL', KEYS[2], 'previous', 'failures', 'backoffUntil')
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], int(now), ARGV[1])
if ARGV[3] ~= '' then redis.call('ZADD', KEYS[5], int(now + tonumber(ARGV[3])), ARGV[1]) end
if redis.call('GET', KEYS[6]) == ARGV[4] then redis.call('DEL', KEYS[6]) end
remember(KEYS[2], KEYS[7], ARGV[8], ARGV[9], {unpack(ARGV, last + 1)})
if not admitted then
  redis.call('ZADD', KEYS[9], int(now), ARGV[1])
  return {'committed', 1, 'waiting', seen[3] or ''}
end
redis.call('SADD', KEYS[10], ARGV[1])
redis.call('SADD', KEYS[11], ARGV[1])
redis.call('SADD', KEYS[13], ARGV[1])
return {'committed', 1, 'admitted', seen[3] or ''}
