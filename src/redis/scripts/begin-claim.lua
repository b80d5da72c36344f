-- Step 1 of a claim: lock the ticket, give out a fence, write the run as `received`.
-- A `received` run whose lock is gone belongs to a claim that died: it is taken over, same run id, new fence.
-- Without a lock token it only tells what it would do, so that people are shown the very gates of the claim.
--
-- KEYS  1 ticket   2 claim lock   3 incarnation   4 runs:received
-- ARGV  1 new run id   2 lock token, '' = change nothing   3 lock TTL ms   4 recovery wait ms   5 prefix of run keys
--       6 most runs in the window   7 the window in ms   8 '1' = ignore back-off and limit (a person asked)
--       9 ticket TTL ms   10.. field, value, ... of the run (project, platform, ticket, ticketId, ...)
-- Returns {'begun' | 'taken-over', run id, fence, previous run record, now in ms, what the run was asked for by ('' =
--          by this claim), since when in ms, '1' if that was a wish for a further run of what has ended}
--       | {'already-claimed', state or 'unconfirmed', run id} | {'contended', run id or ''}
--       | {'recovering', ms} | {'backing-off', until} | {'too-many-runs', count}
local now = now_ms()
local looking = ARGV[2] == ''
local wait = recovering_ms(KEYS[3], tonumber(ARGV[4]), now)
-- Who only looks never ends the wait for a first replica, and asks what comes after it.
if looking and wait == -1 then wait = 0 end
if wait ~= 0 then return {'recovering', int(wait)} end -- guard: recovering

local ticket = redis.call('HMGET', KEYS[1], 'run', 'previous', 'fence', 'starts', 'backoffUntil')
local current, previous = ticket[1], ticket[1]
local takeover = false
if current then
  local seen = redis.call('HMGET', ARGV[5] .. current, 'state', 'labelState')
  if seen[1] == 'queued' or seen[1] == 'running' then return {'already-claimed', seen[1], current} end -- guard: live-run
  if seen[1] == 'received' then
    takeover, previous = true, ticket[2]
  elseif seen[1] and seen[2] == 'unconfirmed' then
    return {'already-claimed', 'unconfirmed', current} -- guard: unconfirmed
  end
end

local insist = ARGV[8] == '1'
if not insist and tonumber(ticket[5] or 0) > now then return {'backing-off', ticket[5]} end -- guard: back-off

local recent = {}
for start in string.gmatch(ticket[4] or '', '%d+') do
  if tonumber(start) > now - tonumber(ARGV[7]) then recent[#recent + 1] = start end
end
if not insist and not takeover and #recent >= tonumber(ARGV[6]) then return {'too-many-runs', #recent} end -- guard: too-many-runs

if looking then
  if redis.call('EXISTS', KEYS[2]) == 1 then return {'contended', takeover and current or ''} end
  local asked = takeover and redis.call('HMGET', ARGV[5] .. current, 'trigger', 'createdAtMs', 'again') or {'', int(now)}
  return {takeover and 'taken-over' or 'begun', '', 0, previous and record(ARGV[5] .. previous) or {}, int(now),
    insist and '' or asked[1], asked[2], asked[3] or ''}
end

if not redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then -- guard: claim-lock
  return {'contended', takeover and current or ''} -- guard: claim-lock
end -- guard: claim-lock

local fence = int(fence_after(ticket[3], now))
local id = takeover and current or ARGV[1]
local fields = takeover and {'fence', fence}
  or {'id', id, 'state', 'received', 'fence', fence, 'turn', 0, 'attempt', 0, 'attemptFence', 0, 'interrupted', 0,
    'takes', 0, 'labelState', 'unconfirmed', 'createdAtMs', int(now), 'sinceMs', int(now)}
for i = 10, #ARGV, 2 do
  -- What asked first stays on record when somebody else goes on, unless that is a person who insists.
  if insist or not (takeover and (ARGV[i] == 'trigger' or ARGV[i] == 'foundMs')) then
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = ARGV[i + 1]
  end
end
redis.call('HSET', ARGV[5] .. id, unpack(fields))
redis.call('HSET', KEYS[1], 'run', id, 'fence', fence, 'starts', table.concat(recent, ' '))
if previous and not takeover then redis.call('HSET', KEYS[1], 'previous', previous) end
redis.call('PEXPIRE', KEYS[1], ARGV[9])
redis.call('ZADD', KEYS[4], int(now), id)

local asked = redis.call('HMGET', ARGV[5] .. id, 'trigger', 'createdAtMs', 'again')
return {takeover and 'taken-over' or 'begun', id, fence, previous and record(ARGV[5] .. previous) or {}, int(now),
  asked[1], asked[2], asked[3] or ''}
