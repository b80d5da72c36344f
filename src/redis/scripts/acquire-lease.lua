-- Takes a free lease and begins a term with a new epoch.
--
-- KEYS  1 lease   2 epoch of the role
-- ARGV  1 value `instance:token`   2 TTL in ms
-- Returns {'acquired', epoch} or {'held', holder, ms left}
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local epoch = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now_ms())
  redis.call('SET', KEYS[2], int(epoch))
  return {'acquired', int(epoch)}
end
return {'held', redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}
