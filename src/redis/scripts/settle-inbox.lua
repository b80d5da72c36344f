-- What became of a ticket that was taken from the inbox: for the deliveries that were handed out with it and for no
-- others. Those that have arrived meanwhile make it due at once.
--
-- KEYS  1 inbox   2 inbox-due
-- ARGV  1 ticket   2 lease   3 prefix of delivery keys   4 'processed' | 'ignored' | 'failed' | 'later'   5 outcome
--       6 run id or ''   7 '1' = another configuration may see it otherwise   8 in how many ms again, for 'later'
--       9.. names of deliveries
-- Returns how many entries are left
local now = now_ms()
local kind, outcome = ARGV[4], ARGV[5]
for i = 9, #ARGV do
  local delivery = ARGV[3] .. ARGV[i]
  local waiting = redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1
  if kind ~= 'later' then redis.call('HDEL', KEYS[1], ARGV[i]) end
  -- A lease that ran out may have had somebody else settle it before.
  if waiting and redis.call('EXISTS', delivery) == 1 then
    redis.call('HSET', delivery, 'outcome:' .. ARGV[1], ARGV[6] == '' and outcome or (outcome .. '|' .. ARGV[6]))
    if kind == 'later' then
      redis.call('HSET', delivery, 'reason', outcome)
    else
      -- Of several tickets one that was processed counts most, then one that failed.
      local final = redis.call('HGET', delivery, 'final')
      if not final or kind == 'processed' or (kind == 'failed' and final == 'ignored') then final = kind end
      redis.call('HSET', delivery, 'final', final, 'reroutable', ARGV[7])
      if redis.call('HINCRBY', delivery, 'open', -1) <= 0 then
        redis.call('HSET', delivery, 'state', final, 'settledAtMs', int(now))
        if final == 'processed' then redis.call('HDEL', delivery, 'reason')
        else redis.call('HSET', delivery, 'reason', outcome) end
      end
    end
  end
end

local mine = redis.call('HGET', KEYS[1], '@lease') == ARGV[2]
if mine then redis.call('HDEL', KEYS[1], '@lease') end
local left = redis.call('HLEN', KEYS[1])
if left == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
elseif mine then
  local later = kind == 'later' and left <= #ARGV - 8
  redis.call('ZADD', KEYS[2], int(later and now + tonumber(ARGV[8]) or now), ARGV[1])
end
return left
