-- Prepended to every script. Times are milliseconds of Redis TIME: the one clock that all replicas share.

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Numbers of this size must not be rendered as 1.7e+12.
local function int(n)
  return string.format('%.0f', n)
end

-- The fence after `last`: larger than every earlier one, also after the ticket record was lost.
local function fence_after(last, now)
  return math.max(tonumber(last or 0) + 1, now)
end

-- Gives out the next fence of a ticket.
local function next_fence(ticket_key, now)
  local fence = fence_after(redis.call('HGET', ticket_key, 'fence') or 0, now)
  redis.call('HSET', ticket_key, 'fence', int(fence))
  return fence
end

-- Milliseconds until Redis may be trusted again after it lost data; 0 = now; -1 = nobody has looked yet.
local function recovering_ms(incarnation_key, wait_ms, now)
  local since = redis.call('HGET', incarnation_key, 'since')
  if not since then return -1 end -- guard: unknown-server
  return math.max(0, tonumber(since) + wait_ms - now)
end

-- A hash as a flat list, the form in which records travel to TypeScript.
local function record(key)
  return redis.call('HGETALL', key)
end

local function has_ended(state)
  return state == 'completed' or state == 'failed' or state == 'cancelled'
end

-- Takes an attempt's heartbeat away. The ticket may have another run by now whose worker beats there: after a failover an
-- earlier run may be back that had ended.
local function stop_beating(heartbeat_key, run, attempt, fence)
  local mine = run .. ':' .. attempt .. ':' .. fence
  if redis.call('GET', heartbeat_key) ~= mine then return end -- guard: own-heartbeat
  redis.call('DEL', heartbeat_key)
end

-- Puts the attempt that has just ended on its run's record: while it was at work it was the run's own `attempt`, `worker`
-- and `startedAtMs`. So each is written once, by the step that ends it; the newest 25 are kept.
local function close_attempt(run_key, now, how, reason)
  local live = redis.call('HMGET', run_key, 'attempt', 'worker', 'startedAtMs')
  redis.call('HSET', run_key, 'attempt:' .. live[1], cjson.encode({
    worker = live[2] or '', startedAtMs = tonumber(live[3] or 0), endedAtMs = now, how = how, reason = reason}))
  redis.call('HDEL', run_key, 'attempt:' .. int(tonumber(live[1]) - 25))
end

-- Fair use: see src/runs/admissions.ts. Some of its lists are named by what the record of a run says, so not every caller can
-- name them as KEYS: they are built here, from the key of the record, and have its hash tag.
local function home_of(run_key)
  return (string.match(run_key, '^(.*:)run:'))
end

local function backlog_of(home, project)
  return home .. 'backlog:' .. project
end

local function admitted_of(home, kind, name)
  return home .. 'admitted:' .. kind .. ':' .. name
end

local function put_off_of(home, project)
  return home .. 'put-off:' .. project
end

-- Turns of a project that could not start, since one could.
local function vain_of(home, project)
  return home .. 'vain-turns:' .. project
end

-- Whether one more may go on the list of a cap; '' = there is none.
local function below_cap(list, cap)
  return cap == '' or redis.call('SCARD', list) < tonumber(cap)
end

-- Slots that nobody has been admitted for: what all replicas that spoke lately have free, less the runs on their way there.
local function room_in(free_slots, offered, now)
  local free = 0
  for _, told in ipairs(redis.call('HVALS', free_slots)) do
    local slots, until_ms = string.match(told, '^(%d+) (%d+)$')
    if tonumber(until_ms) > now then free = free + tonumber(slots) end
  end
  return free - redis.call('SCARD', offered)
end

-- Of the admitted runs of a project those that are at work or wait for a slot. One whose job comes later keeps its place under
-- the caps, and is no reason to give its project less.
local function busy_in(admitted, set_aside)
  local count = redis.call('SCARD', admitted)
  if count == 0 or redis.call('SCARD', set_aside) == 0 then return count end
  return count - #redis.call('SINTER', admitted, set_aside)
end

-- Takes a run off all lists of fair use: its place is another's from now on.
local function count_out(run_key)
  local home = home_of(run_key)
  local run = redis.call('HMGET', run_key, 'id', 'project', 'pipeline')
  if not run[1] then return end
  redis.call('ZREM', backlog_of(home, run[2]), run[1])
  redis.call('ZREM', put_off_of(home, run[2]), run[1])
  redis.call('SREM', admitted_of(home, 'project', run[2]), run[1])
  redis.call('SREM', admitted_of(home, 'pipeline', run[3] or ''), run[1])
  redis.call('SREM', home .. 'offered', run[1])
  redis.call('SREM', home .. 'set-aside', run[1])
end

-- Writes the end of a run on its record, and takes it off the lists of fair use. Its attempt, if it had one, and the lists of
-- states are its script's.
local function end_run(run_key, now, state, reason)
  count_out(run_key)
  redis.call('HSET', run_key, 'state', state, 'reason', reason, 'endedAtMs', int(now), 'sinceMs', int(now),
    'labelState', 'unconfirmed')
end

-- The run has ended, and whoever does its work without a worker has not heard of it: somebody has to tell them.
local function owe_news(unheard_key, now, run, ttl_ms)
  redis.call('ZADD', unheard_key, int(now), run)
  redis.call('PEXPIRE', unheard_key, ttl_ms)
end

-- Keeps what a run says came of it for as long as its record. It belongs to its end, and is written in the same step.
local function keep_result(result_key, result, ttl_ms)
  if result ~= '' then redis.call('SET', result_key, result, 'PX', ttl_ms) end
end

-- Remembers why something happened to a ticket, unless that is what was decided before. `fields` is the flat entry.
-- Returns 1 when written.
local function remember(ticket_key, decisions_key, decision, most, fields)
  if redis.call('HGET', ticket_key, 'decision') == decision then return 0 end
  redis.call('HSET', ticket_key, 'decision', decision)
  redis.call('XADD', decisions_key, 'MAXLEN', '~', most, '*', unpack(fields))
  return 1
end
