-- What became of a ticket that was taken from the inbox: for the deliveries that were handed out with it and for no
-- others. Those that have arrived since, also one that came again under its old name, make the ticket due at once.
--
-- KEYS  1 inbox   2 inbox-due
-- ARGV  1 ticket   2 lease   3 prefix of delivery keys   4 'processed' | 'ignored' | 'failed'   5 outcome   6 run id or ''
--       7 in how many ms again, '' = it is settled   8 age in ms from which a delivery is settled all the same
--       9.. of each delivery its name and when it was received
-- Returns how many of them were put off
local now = now_ms()
local ticket, kind, outcome = ARGV[1], ARGV[4], ARGV[5]

local function tell(delivery, later)
  if redis.call('EXISTS', delivery) == 0 then return end
  redis.call('HSET', delivery, 'outcome:' .. ticket, ARGV[6] == '' and outcome or (outcome .. '|' .. ARGV[6]))
  if later then return redis.call('HSET', delivery, 'reason', outcome) end
  -- Of several tickets one that was processed counts most, then one that failed.
  local final = redis.call('HGET', delivery, 'final')
  if not final or kind == 'processed' or (kind == 'failed' and final == 'ignored') then final = kind end
  -- What this configuration refused, another one may not.
  redis.call('HSET', delivery, 'final', final, 'reroutable', '1')
  if redis.call('HINCRBY', delivery, 'open', -1) > 0 then return end
  redis.call('HSET', delivery, 'state', final, 'settledAtMs', int(now))
  if final == 'processed' then redis.call('HDEL', delivery, 'reason')
  else redis.call('HSET', delivery, 'reason', outcome) end
end

local put_off = 0
for i = 9, #ARGV, 2 do
  local received = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', '^%d+')
  -- A lease that ran out may have had somebody else settle it before, and then it may have come again.
  if received == ARGV[i + 1] then
    local later = ARGV[7] ~= '' and now - tonumber(received) < tonumber(ARGV[8])
    if later then put_off = put_off + 1 else redis.call('HDEL', KEYS[1], ARGV[i]) end
    tell(ARGV[3] .. ARGV[i], later)
  end
end

local mine = redis.call('HGET', KEYS[1], '@lease') == ARGV[2]
if mine then redis.call('HDEL', KEYS[1], '@lease') end
local left = redis.call('HLEN', KEYS[1])
if left == 0 then
  redis.call('ZREM', KEYS[2], ticket)
elseif mine then
  redis.call('ZADD', KEYS[2], int(left > put_off and now or now + tonumber(ARGV[7])), ticket)
end
return put_off
