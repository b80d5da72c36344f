-- Puts a list of runs right: what it names and what the records say are the same again.
--
-- A run that is gone, or that the list does not speak of any more, is taken off it. A live run keeps the record of its
-- ticket alive, and gets it back when it is lost. A live run whose ticket belongs to a newer run can neither start nor end:
-- it is ended here, and its worker, if there is one, is told so by its next beat.
--
-- KEYS  1 the list   2 runs:cancelled   3 runs:unconfirmed
-- ARGV  1 field of the run that the list goes by   2 its value   3 prefix of run keys   4 prefix of ticket keys
--       5 run TTL ms   6 ticket TTL ms   7.. run ids
-- Returns {'tidied', how many were taken off, ids of those that got their ticket back, ids of those that were ended}
local now = now_ms()
local off = 0
local back, ended = {}, {}
local live = {received = true, queued = true, running = true}

local function end_superseded(id, state, by)
  local key = ARGV[3] .. id
  local reason = 'superseded by run ' .. by
  count_out(key)
  if state == 'running' then close_attempt(key, now, 'superseded', reason) end
  redis.call('HSET', key, 'state', 'cancelled', 'reason', reason, 'endedAtMs', int(now), 'sinceMs', int(now),
    'labelState', 'unwritable', 'labelReason', 'its ticket has another run')
  redis.call('PEXPIRE', key, ARGV[5])
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[3], id)
  redis.call('ZADD', KEYS[2], int(now), id)
  return id
end

local function put_right(id)
  local run = redis.call('HMGET', ARGV[3] .. id, ARGV[1], 'state', 'ticket', 'fence', 'attemptFence')
  if run[1] ~= ARGV[2] then
    off = off + redis.call('ZREM', KEYS[1], id)
    return
  end
  if not live[run[2]] then return end
  local key = ARGV[4] .. run[3]
  local ticket = redis.call('HMGET', key, 'run', 'fence')
  local fence = math.max(tonumber(run[4] or 0), tonumber(run[5] or 0))
  if not ticket[1] then
    redis.call('HSET', key, 'run', id, 'fence', int(math.max(fence, tonumber(ticket[2] or 0))))
    redis.call('PEXPIRE', key, ARGV[6])
    back[#back + 1] = id
    return
  end
  if ticket[1] == id then
    -- However long it takes: without it the ticket would seem to have no run.
    redis.call('PEXPIRE', key, ARGV[6])
    return
  end
  -- A run with the newest fence is that of a worker which is about to write its ticket down again.
  if tonumber(ticket[2] or 0) <= fence then return end -- guard: newer-run
  ended[#ended + 1] = end_superseded(id, run[2], ticket[1])
end

for i = 7, #ARGV do put_right(ARGV[i]) end
return {'tidied', off, back, ended}
