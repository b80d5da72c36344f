-- Step 5 of a claim: `received` becomes `queued`, with its pipeline and policy. Turn 1.
-- From here on the record itself refuses every other claim, so the lock has done its work and goes with the same step;
-- and the decision is written with the run that it made, so that no run is ever without its reason.
--
-- KEYS  1 run   2 ticket   3 runs:received   4 runs:queued   5 runs:unconfirmed   6 claim lock   7 decisions
-- ARGV  1 run id   2 fence   3 when the label becomes the projection's business, in ms from now, or '' when the claim has
--       read it back already   4 lock token
--       5 the decision   6 most decisions kept   7 how many of the following belong to the run
--       8.. field, value, ... of the run (pipeline, label, policy), then field, value, ... of the decision
-- Returns {'committed', turn, who asked to cancel meanwhile or ''} or {'superseded'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'fence', 'cancelRequested')
if seen[1] ~= 'received' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: claim-fence
local now = now_ms()
local last = 7 + tonumber(ARGV[7])
redis.call('HSET', KEYS[1], 'state', 'queued', 'turn', 1, 'queuedAtMs', int(now), 'sinceMs', int(now),
  'labelState', ARGV[3] == '' and 'confirmed' or 'unconfirmed', unpack(ARGV, 8, last))
local starts = redis.call('HGET', KEYS[2], 'starts') or ''
redis.call('HSET', KEYS[2], 'starts', starts == '' and int(now) or (starts .. ' ' .. int(now)))
redis.call('HDEL', KEYS[2], 'previous', 'failures', 'backoffUntil')
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], int(now), ARGV[1])
if ARGV[3] ~= '' then redis.call('ZADD', KEYS[5], int(now + tonumber(ARGV[3])), ARGV[1]) end
if redis.call('GET', KEYS[6]) == ARGV[4] then redis.call('DEL', KEYS[6]) end
remember(KEYS[2], KEYS[7], ARGV[5], ARGV[6], {unpack(ARGV, last + 1)})
return {'committed', 1, seen[3] or ''}
