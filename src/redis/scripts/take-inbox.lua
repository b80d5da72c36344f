-- Hands out tickets that are due, each to one taker: until its lease is over nobody else is given it. A taker that dies
-- leaves a ticket that becomes due again by itself, so this is the wake-up, the retry and the sweep in one.
--
-- KEYS  1 inbox-due
-- ARGV  1 most tickets   2 lease ms   3 prefix of inbox keys   4 prefix of delivery keys   5 ms for which a
--       ticket is left lying   6.. beginnings of the tickets that are: their platform has all the work it should have
-- Returns for each ticket a list: ticket, lease, now, then delivery name and entry ('received id projects config mayTakeBack'), ...
local now = now_ms()
local lease = int(now + tonumber(ARGV[2]))
local taken = {}

local function is_left(ticket)
  for i = 6, #ARGV do
    if string.sub(ticket, 1, #ARGV[i]) == ARGV[i] then return true end
  end
  return false
end

local function take(ticket)
  local inbox = ARGV[3] .. ticket
  redis.call('HDEL', inbox, '@lease')
  local entries = redis.call('HGETALL', inbox)
  if #entries == 0 then return redis.call('ZREM', KEYS[1], ticket) end
  for i = 1, #entries, 2 do
    local delivery = ARGV[4] .. entries[i]
    if redis.call('EXISTS', delivery) == 1 then
      redis.call('HSET', delivery, 'state', 'queued')
      redis.call('HINCRBY', delivery, 'tries', 1)
    end
  end
  redis.call('HSET', inbox, '@lease', lease)
  redis.call('ZADD', KEYS[1], lease, ticket)
  taken[#taken + 1] = {ticket, lease, int(now), unpack(entries)}
end

-- What is left lying makes room at the head: it must not hide the tickets of others.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now), 'LIMIT', 0, #ARGV > 5 and 1000 or ARGV[1])
for _, ticket in ipairs(due) do
  if #taken >= tonumber(ARGV[1]) then break end
  if is_left(ticket) then
    redis.call('ZADD', KEYS[1], int(now + tonumber(ARGV[5])), ticket)
  else
    take(ticket)
  end
end
return taken
