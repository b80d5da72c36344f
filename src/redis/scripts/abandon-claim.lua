-- Ends a claim that does not become a run now. Either the record is removed and the ticket's earlier run is its run
-- again, or the record stays `received` for whoever comes next. A definite failure also backs off.
--
-- KEYS  1 run   2 ticket   3 claim lock   4 runs:received
-- ARGV  1 run id   2 fence   3 lock token   4 '1' = the record stays   5 first back-off ms, 0 = none
--       6 longest back-off ms
-- Returns {'abandoned', back-off until or 0} or {'superseded'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'fence')
if seen[1] ~= 'received' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: abandon-fence
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
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
return {'abandoned', int(until_ms)}
