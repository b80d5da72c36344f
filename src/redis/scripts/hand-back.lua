-- The only way from `running` back to `queued`: the attempt that was judged gives its run another turn.
-- The run gets a new fence, so a worker that comes back to life finds itself superseded.
--
-- It stays admitted, since it is the oldest of its project, and set aside until its job is taken: that may come later.
--
-- KEYS  1 run   2 ticket   3 heartbeat   4 runs:running   5 runs:queued   6 runs:unconfirmed   7 set-aside
-- ARGV  1 run id   2 fence of the judged attempt   3 '1' = only if the heartbeat is missing
--       4 how the attempt ended: 'interrupted', 'handed-on', or 'failed' when it could not start   5 reason   6 label due in ms
-- Returns {'handed-back', turn} | {'superseded'} | {'alive'} | {'cancel-requested', by}
local seen = redis.call('HMGET', KEYS[1], 'state', 'attemptFence', 'attempt', 'cancelRequested')
if seen[1] ~= 'running' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: attempt-fence
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[3]) == 1 then return {'alive'} end -- guard: alive
-- What is to end gets no further turn, in which it would wait for a free slot.
if seen[4] then return {'cancel-requested', seen[4]} end -- guard: cancel-requested
local now = now_ms()
local fence = next_fence(KEYS[2], now)
local turn = redis.call('HINCRBY', KEYS[1], 'turn', 1)
if ARGV[4] == 'interrupted' then redis.call('HINCRBY', KEYS[1], 'interrupted', 1) end
-- Work that goes on without its worker: nothing was interrupted, and no attempt is used up.
if ARGV[4] == 'handed-on' then redis.call('HINCRBY', KEYS[1], 'handedOn', 1) end
close_attempt(KEYS[1], now, ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'state', 'queued', 'attemptFence', int(fence), 'reason', ARGV[5], 'takes', 0,
  'queuedAtMs', int(now), 'sinceMs', int(now), 'labelState', 'unconfirmed')
redis.call('HDEL', KEYS[1], 'worker')
stop_beating(KEYS[3], ARGV[1], seen[3], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZADD', KEYS[5], int(now), ARGV[1])
redis.call('SADD', KEYS[7], ARGV[1])
redis.call('ZADD', KEYS[6], int(now + tonumber(ARGV[6])), ARGV[1])
return {'handed-back', turn}
