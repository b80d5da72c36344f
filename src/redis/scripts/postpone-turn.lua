-- A taken turn cannot start now (ticket unreadable, recovering): it counts neither as an attempt nor as a vain take.
--
-- The run gives its places under the caps up and is put off: it waits again, and is back in its backlog when its time has come.
-- So what cannot start takes nobody's place, and comes back by admission alone, like everything else. It has another turn
-- then: whatever still stands in the queue for this one is dropped.
-- One whose earlier attempt may be at work without a worker keeps its places, and is set aside until its job is taken again.
--
-- KEYS  1 run   2 set-aside
-- ARGV  1 turn   2 run id   3 '1' = keeps its places   4 '1' = something is wrong: not before a pause, and its project is
--       tried now and then alone when that happens too often without a start in between
--       5 first and   6 longest pause, ms   7 too often   8 so long that is remembered, ms
-- Returns {'set-aside' | 'put-off', ms until it may be tried again} | {'dropped', state or ''}
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn', 'admittedAtMs', 'project', 'queuedAtMs')
if seen[1] ~= 'queued' or seen[2] ~= ARGV[1] then return {'dropped', seen[1] or ''} end -- guard: turn
-- Its job is a stray one: it would stand in the way of the one that follows its admission.
if seen[3] == '0' then return {'dropped', 'waiting'} end -- guard: admitted
redis.call('HINCRBY', KEYS[1], 'takes', -1)
local times = redis.call('HINCRBY', KEYS[1], 'postponed', 1)
local pause = math.min(tonumber(ARGV[5]) * 2 ^ math.min(times - 1, 20), tonumber(ARGV[6]))
local now = now_ms()
local home = home_of(KEYS[1])
if ARGV[4] == '1' then
  local vain = vain_of(home, seen[4])
  if redis.call('HINCRBY', vain, 'times', 1) >= tonumber(ARGV[7]) then redis.call('HSETNX', vain, 'nextMs', int(now)) end
  redis.call('PEXPIRE', vain, ARGV[8])
end
if ARGV[3] == '1' then
  redis.call('SADD', KEYS[2], ARGV[2])
  return {'set-aside', int(pause)}
end
if ARGV[4] ~= '1' then pause = 0 end
count_out(KEYS[1])
redis.call('HSET', KEYS[1], 'admittedAtMs', 0, 'backAtMs', int(now + pause))
redis.call('HINCRBY', KEYS[1], 'turn', 1)
if pause > 0 then
  redis.call('ZADD', put_off_of(home, seen[4]), int(now + pause), ARGV[2])
else
  redis.call('ZADD', backlog_of(home, seen[4]), seen[5], ARGV[2])
end
return {'put-off', int(pause)}
