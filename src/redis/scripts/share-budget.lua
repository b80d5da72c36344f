-- What all replicas know of one credential's budget: takes in what one answer said, answers the whole. An empty
-- observation only asks. The rules are those of `platforms/rate-limits.ts`, by the one clock that all replicas share.
--
-- KEYS  1 budget: until (of the wait), only:<method path> (of waits for one path), limit, remaining, resetAt, windowMs
-- ARGV  1 method and path   2 wait in ms, 0 = none   3 `path` when the wait is for this path alone, or ''
--       4 limit or ''   5 remaining, '' = nothing said about a window   6 ms until it begins anew   7 its length, ms, or ''
--       8 windows whose ends are this close, in ms, are one   9 the longest wait that anybody tells, ms
-- Returns {'budget', wait ms, wait for the path ms, limit, remaining, ms until reset, window ms}; '' = unknown
local now = now_ms()
local only = 'only:' .. ARGV[1]
local seen = redis.call('HMGET', KEYS[1], 'until', only, 'limit', 'remaining', 'resetAt', 'windowMs')
local held, held_here, reset_at = tonumber(seen[1] or 0), tonumber(seen[2] or 0), tonumber(seen[5] or 0)
local limit, remaining, window = seen[3] or '', seen[4] or '', seen[6] or ''
local news, ends = {}, 0

-- Farther away than anybody can have told: written under another clock, before a failover or a correction.
local farthest = now + tonumber(ARGV[9]) + 1000
if held > farthest then held = 0 end
if held_here > farthest then held_here = 0 end
if reset_at > farthest then reset_at = 0 end

-- A shorter wait never ends a longer one.
local wait_until = now + tonumber(ARGV[2])
if ARGV[3] == 'path' and wait_until > math.max(held_here, now) then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 5) == 'only:' and tonumber(all[i + 1]) <= now then redis.call('HDEL', KEYS[1], all[i]) end
  end
  held_here = wait_until
  news = {only, int(held_here)}
  ends = wait_until
elseif ARGV[3] == '' and wait_until > math.max(held, now) then
  held = wait_until
  news = {'until', int(held)}
  ends = wait_until
end

-- In one window the smaller number counts, since answers overtake each other; a later window replaces it.
if ARGV[5] ~= '' then
  local said_reset = now + tonumber(ARGV[6])
  local later = said_reset - reset_at
  local apart = tonumber(ARGV[8])
  if reset_at <= now or later > apart then
    limit, remaining, reset_at, window = ARGV[4], ARGV[5], said_reset, ARGV[7]
    for _, v in ipairs({'limit', limit, 'remaining', remaining, 'resetAt', int(reset_at), 'windowMs', window}) do
      news[#news + 1] = v
    end
    ends = math.max(ends, reset_at)
  elseif later >= -apart and tonumber(ARGV[5]) < tonumber(remaining) then
    remaining = ARGV[5]
    news[#news + 1] = 'remaining'
    news[#news + 1] = remaining
  end
end

if #news > 0 then redis.call('HSET', KEYS[1], unpack(news)) end
if ends - now > redis.call('PTTL', KEYS[1]) then redis.call('PEXPIRE', KEYS[1], int(ends - now)) end

if reset_at <= now then limit, remaining, reset_at, window = '', '', now, '' end
return {'budget', int(math.max(0, held - now)), int(math.max(0, held_here - now)),
  limit, remaining, int(reset_at - now), window}
