-- A delivery becomes durable: its record, its place in the inbox of each of its tickets, and those tickets due at once.
-- From here on it may be answered 2xx. Either all of it is written or nothing.
--
-- A ticket that is being looked at right now keeps its lease: whoever looks finds the new entry when it settles the old
-- ones, and looks once more. So an event that arrives in that moment is neither lost nor handled twice at a time.
--
-- KEYS  1 delivery   2 deliveries   3 inbox-due   4 arrivals   5.. inbox of each ticket
-- ARGV  1 name   2 payload hash, '' = unknown   3 config hash   4 why it is ignored, '' = it is not
--       5 '1' = another configuration may not ignore it   6 delivery TTL ms   7 most deliveries kept
--       8 most tickets due   9 most entries of one inbox   10 prefix of delivery keys
--       11 the projects that it reaches, with commas   12 '1' = a person sends it again
--       13 how many tickets, then ticket and id of each, then field, value, ... of the record
-- Returns {'accepted', now} | {'ignored', reason} | {'duplicate', state} | {'mismatch', state} | {'full'}
local now = now_ms()
local at = int(now)
local name, reason, count = ARGV[1], ARGV[4], tonumber(ARGV[13])

-- A hook that tells of tickets is alive, whatever it says of them. What the platform told when it was asked (its payload is
-- unknown), and what a person sends again, came by another road.
if count > 0 and ARGV[2] ~= '' and ARGV[12] ~= '1' then
  for project in string.gmatch(ARGV[11], '[^,]+') do redis.call('HSET', KEYS[4], project, at) end
end

local seen = redis.call('HMGET', KEYS[1], 'state', 'payloadHash', 'configHash', 'reroutable', 'receivedAtMs')
if seen[1] and ARGV[12] ~= '1' then
  -- A payload that the platform told us when it was asked has no hash.
  local known = seen[2] ~= '' and ARGV[2] ~= ''
  if known and seen[2] ~= ARGV[2] then return {'mismatch', seen[1]} end -- guard: payload-hash
  local reroute = seen[1] == 'ignored' and seen[4] == '1' and seen[3] ~= ARGV[3]
  if seen[1] ~= 'failed' and not reroute then -- guard: duplicate
    redis.call('HINCRBY', KEYS[1], 'duplicates', 1) -- guard: duplicate
    return {'duplicate', seen[1]} -- guard: duplicate
  end -- guard: duplicate
end

local ticket = function(i) return ARGV[12 + 2 * i], ARGV[13 + 2 * i], KEYS[4 + i] end

-- Every delivery comes through here: what an answer that is known already cannot change is not asked.
local waiting = {}
if reason == '' then
  local due, most = redis.call('ZCARD', KEYS[3]), tonumber(ARGV[8])
  local nearly_full = due + count > most
  for i = 1, count do
    local key, _, inbox = ticket(i)
    if nearly_full and not redis.call('ZSCORE', KEYS[3], key) then due = due + 1 end
    waiting[i] = redis.call('HLEN', inbox)
    if due > most or waiting[i] >= tonumber(ARGV[9]) then return {'full'} end -- guard: full
  end
end

redis.call('HSET', KEYS[1], 'name', name, 'payloadHash', ARGV[2], 'configHash', ARGV[3], 'projects', ARGV[11],
  'state', reason == '' and 'received' or 'ignored', 'open', count, 'reroutable', ARGV[5],
  'receivedAtMs', seen[5] or at, unpack(ARGV, 14 + 2 * count))
if seen[1] then
  redis.call('HDEL', KEYS[1], 'reason', 'final', 'settledAtMs')
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 8) == 'outcome:' then redis.call('HDEL', KEYS[1], field) end
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], 'NX', at, name)

-- Nothing grows without bound. What is still to be done is not forgotten for what is new, up to a second bound; beyond it
-- only the record goes: the inbox keeps what is to be done.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now - tonumber(ARGV[6])))
for _ = 1, 2 do
  local spare = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[7])
  if spare <= 0 then break end
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  local state = redis.call('HGET', ARGV[10] .. oldest, 'state')
  if (state == 'received' or state == 'queued') and spare <= tonumber(ARGV[7]) then break end
  redis.call('DEL', ARGV[10] .. oldest)
  redis.call('ZREM', KEYS[2], oldest)
end

if reason ~= '' then
  redis.call('HSET', KEYS[1], 'reason', reason)
  return {'ignored', reason}
end
local takes_back = redis.call('HGET', KEYS[1], 'mayTakeBack') or ''
for i = 1, count do
  local key, id, inbox = ticket(i)
  redis.call('HSET', inbox, name, table.concat({at, id, ARGV[11], ARGV[3], takes_back}, ' '))
  local lease = waiting[i] > 0 and redis.call('HGET', inbox, '@lease')
  if not lease or tonumber(lease) <= now then redis.call('ZADD', KEYS[3], at, key) end
end
return {'accepted', at}
