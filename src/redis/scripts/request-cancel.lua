-- Somebody wants a run to end before it has. One that waits in the queue ends here, unless Redis recovers: a failover may have
-- set it back, and its worker is about to report. Otherwise the wish stays on the record, for whoever has the run: its worker
-- hears of it with its next beat, which the message brings about; a claim goes on, and the run ends when its turn comes; for a
-- worker that died the stale-job detector ends it. Who asked first stays on record.
--
-- KEYS  1 run   2 ticket   3 runs:queued   4 runs:cancelled   5 runs:unconfirmed   6 incarnation
-- ARGV  1 run id   2 who asks   3 reason   4 channel   5 recovery wait ms   6 run TTL ms   7 ticket TTL ms
--       8 label due in ms
-- Returns {'cancelled'} | {'requested', who asked first} | {'ended', state} | {'unknown'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'cancelRequested')
if not seen[1] then return {'unknown'} end -- guard: forgotten
if has_ended(seen[1]) then return {'ended', seen[1]} end -- guard: ended
local now = now_ms()
local waits = seen[1] == 'queued'
if recovering_ms(KEYS[6], tonumber(ARGV[5]), now) ~= 0 then waits = false end -- guard: recovering
if waits then
  end_run(KEYS[1], now, 'cancelled', ARGV[3])
  redis.call('HSET', KEYS[1], 'cancelRequested', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZADD', KEYS[4], int(now), ARGV[1])
  redis.call('ZADD', KEYS[5], int(now + tonumber(ARGV[8])), ARGV[1])
  return {'cancelled'}
end
redis.call('HSETNX', KEYS[1], 'cancelRequested', ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[1])
return {'requested', seen[2] or ARGV[2]}
