-- Ends a claim that does not become a run now. Either the record is removed and the ticket's earlier run is its run
-- again, or the record stays `received` for whoever comes next. A definite failure also backs off.
-- A run that somebody has cancelled meanwhile is not removed: it ends as that, or its ticket would be claimed again.
--
-- KEYS  1 run   2 ticket   3 claim lock   4 runs:received   5 runs:cancelled   6 runs:unconfirmed
-- ARGV  1 run id   2 fence   3 lock token   4 '1' = the record stays   5 first back-off ms, 0 = none
--       6 longest back-off ms   7 what stands before who asked to cancel in the reason   8 run TTL ms   9 label due in ms
-- Returns {'abandoned', back-off until or 0} or {'cancelled', by} or {'superseded'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'fence', 'cancelRequested')
if seen[1] ~= 'received' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: abandon-fence
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
if seen[3] and ARGV[4] ~= '1' then -- guard: cancel-requested
  local now = now_ms() -- guard: cancel-requested
  end_run(KEYS[1], now, 'cancelled', ARGV[7] .. seen[3]) -- guard: cancel-requested
  redis.call('PEXPIRE', KEYS[1], ARGV[8]) -- guard: cancel-requested
  redis.call('HDEL', KEYS[2], 'previous') -- guard: cancel-requested
  redis.call('ZREM', KEYS[4], ARGV[1]) -- guard: cancel-requested
  redis.call('ZADD', KEYS[5], int(now), ARGV[1]) -- guard: cancel-requested
  redis.call('ZADD', KEYS[6], int(now + tonumber(ARGV[9])), ARGV[1]) -- guard: cancel-requested
  return {'cancelled', seen[3]} -- guard: cancel-requested
end -- guard: cancel-requested
if ARGV[4] ~= '1' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[4], ARGV[1])
  if redis.call('HGET', KEYS[2], 'run') == ARGV[1] then
    local previous = redis.call('HGET', KEYS[2], 'previous')
    if previous then redis.call('HSET', KEYS[2], 'run', previous) else redis.call('HDEL', KEYS[2], 'run') end
    redis.call('HDEL', KEYS[2], 'previous')
  end
end
local until_ms = 0
if tonumber(ARGV[5]) > 0 then
  local failures = redis.call('HINCRBY', KEYS[2], 'failures', 1)
  until_ms = now_ms() + math.min(tonumber(ARGV[5]) * 2 ^ (failures - 1), tonumber(ARGV[6]))
  redis.call('HSET', KEYS[2], 'backoffUntil', int(until_ms))
end
return {'abandoned', int(until_ms)}
