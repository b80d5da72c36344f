-- Takes off the lists what has outlived its record. The scripts that add to a list trim it too; this is for the lists that
-- nothing is added to any more.
--
-- KEYS  1 deliveries   2.. runs:<terminal state>
-- ARGV  1 delivery TTL ms   2 most deliveries kept   3 prefix of delivery keys   4 run TTL ms
--       5 most deliveries looked at in one go
-- Returns {'trimmed', how many deliveries, how many runs}
local now = now_ms()
local deliveries = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now - tonumber(ARGV[1])))
local spare = math.min(redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2]), tonumber(ARGV[5]))
if spare > 0 then
  for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, spare - 1)) do
    local state = redis.call('HGET', ARGV[3] .. name, 'state')
    -- What is still to be done is not forgotten for what is new.
    if state ~= 'received' and state ~= 'queued' then
      redis.call('DEL', ARGV[3] .. name)
      deliveries = deliveries + redis.call('ZREM', KEYS[1], name)
    end
  end
end
local runs = 0
for i = 2, #KEYS do
  runs = runs + redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', int(now - tonumber(ARGV[4])))
end
return {'trimmed', deliveries, runs}
