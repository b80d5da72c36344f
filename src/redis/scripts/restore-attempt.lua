-- Redis lost what it knew of a running attempt: its worker writes ticket, run and attempt again from memory, unless a
-- newer fence is there or the run has ended. It may be back in any earlier state, and goes off that state's list.
-- An attempt that has ended is written down as that, in this one step: a worker that died between two would leave a run
-- at work that was over, and it would be done once more.
--
-- KEYS  1 run   2 ticket   3 heartbeat   4 runs:queued   5 runs:running   6 runs:unconfirmed
--       7 runs:received   8 runs:<terminal state>, if it has ended   9 result
-- ARGV  1 run id   2 attempt   3 fence   4 TTL ms   5 label due in ms   6 ticket TTL ms
--       7 terminal state, '' while it is at work   8 reason   9 run TTL ms   10 result, '' without one
--       11.. field, value, ... of the run
-- Returns {'restored'} or {'superseded'}
if tonumber(redis.call('HGET', KEYS[2], 'fence') or 0) > tonumber(ARGV[3]) then return {'superseded'} end -- guard: newer-fence
local now = now_ms()
local older = redis.call('HMGET', KEYS[1], 'state', 'attempt')
if has_ended(older[1]) then return {'superseded'} end -- guard: ended
-- An earlier attempt that still seems to be at work has ended; only how, Redis has lost.
if older[1] == 'running' and older[2] ~= ARGV[2] then close_attempt(KEYS[1], now, 'superseded', 'redis lost how it ended') end
for i = 11, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[2], 'run', ARGV[1], 'fence', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('ZADD', KEYS[6], int(now + tonumber(ARGV[5])), ARGV[1])
if ARGV[7] == '' then
  redis.call('HSET', KEYS[1], 'sinceMs', int(now))
  redis.call('PERSIST', KEYS[1])
  redis.call('SET', KEYS[3], ARGV[1] .. ':' .. ARGV[2] .. ':' .. ARGV[3], 'PX', ARGV[4])
  redis.call('ZADD', KEYS[5], int(now), ARGV[1])
  count_out(KEYS[1])
  local home, run = home_of(KEYS[1]), redis.call('HMGET', KEYS[1], 'project', 'pipeline')
  redis.call('SADD', admitted_of(home, 'project', run[1]), ARGV[1])
  redis.call('SADD', admitted_of(home, 'pipeline', run[2] or ''), ARGV[1])
else
  close_attempt(KEYS[1], now, ARGV[7], ARGV[8])
  end_run(KEYS[1], now, ARGV[7], ARGV[8])
  keep_result(KEYS[9], ARGV[10], ARGV[9])
  redis.call('PEXPIRE', KEYS[1], ARGV[9])
  stop_beating(KEYS[3], ARGV[1], ARGV[2], ARGV[3])
  redis.call('ZREM', KEYS[5], ARGV[1])
  redis.call('ZADD', KEYS[8], int(now), ARGV[1])
end
return {'restored'}
