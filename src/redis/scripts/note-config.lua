-- Notes which configuration a replica runs, and looks at what the others run. A replica that has said nothing for a while
-- is gone and does not count.
--
-- KEYS  1 configs: <instance> = 'noted at, hash'; @differsSince
-- ARGV  1 instance   2 hash   3 silence after which a replica is gone, ms
-- Returns {'agree', now} or {'differ', now, since when, then instance and hash of each replica}
local now = now_ms()
redis.call('HSET', KEYS[1], ARGV[1], int(now) .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local there, hashes = {}, {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at, hash = string.match(all[i + 1], '^(%d+) (.*)$')
  if all[i] ~= '@differsSince' then
    if now - tonumber(at) > tonumber(ARGV[3]) then
      redis.call('HDEL', KEYS[1], all[i])
    else
      there[#there + 1] = all[i]
      there[#there + 1] = hash
      hashes[hash] = true
    end
  end
end
local distinct = 0
for _ in pairs(hashes) do distinct = distinct + 1 end
if distinct < 2 then
  redis.call('HDEL', KEYS[1], '@differsSince')
  return {'agree', int(now)}
end
redis.call('HSETNX', KEYS[1], '@differsSince', int(now))
return {'differ', int(now), redis.call('HGET', KEYS[1], '@differsSince'), unpack(there)}
