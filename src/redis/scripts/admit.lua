-- Feeds the queue: admits runs out of the backlogs, of the project with the fewest at work first, and of a project its oldest.
-- Called by each replica every second, and whenever a slot of its own is taken or becomes free: it notes its free slots with it.
--
-- A project that has nothing at work may have one run on its way although no slot is free: a slot that becomes free finds it at
-- the head of the queue. Everything else is admitted for a slot that is free now. Of a project that had too many turns in a row
-- that could not start, one is admitted now and then, until one starts.
--
-- KEYS  1 free slots   2 incarnation   3 offered   4 set-aside
-- ARGV  1 prefix of run keys   2 the instance that asks   3 its free slots, '' = it takes nothing any more
--       4 so long that is believed, ms   5 recovery wait for starts, ms   6 most runs admitted in one go
--       7 most runs looked past because their pipeline is at its cap, shared out evenly
--       8 pause between two runs of a project whose turns cannot start, ms   9 longest time that a run is put off, ms
--       10 how many projects   11.. name, cap ('' = none) of each project, then of each pipeline that has one
-- Returns {'admitted', {run id, turn, run id, turn, ...}} | {'recovering', ms}
local now = now_ms()
local home = home_of(ARGV[1])

if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ' ' .. int(now + tonumber(ARGV[4])))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
-- A time so far away that nobody can have meant it: written under another clock, before a failover or a correction.
local function is_astray(at_ms, most_ms)
  return at_ms > now + tonumber(most_ms) + 1000
end

-- What nobody has told again belongs to a replica that is gone.
local told = redis.call('HGETALL', KEYS[1])
for i = 1, #told, 2 do
  local until_ms = tonumber(string.match(told[i + 1], '%d+$'))
  local gone = until_ms <= now
  if is_astray(until_ms, ARGV[4]) then gone = true end -- guard: other-clock
  if gone then redis.call('HDEL', KEYS[1], told[i]) end
end

local wait = recovering_ms(KEYS[2], tonumber(ARGV[5]), now)
if wait ~= 0 then return {'recovering', int(wait)} end -- guard: recovering

local last_project = 10 + 2 * tonumber(ARGV[10])
local pipeline_caps = {}
for i = last_project + 1, #ARGV, 2 do pipeline_caps[ARGV[i]] = ARGV[i + 1] end

local function pipeline_is_full(pipeline)
  return not below_cap(admitted_of(home, 'pipeline', pipeline), pipeline_caps[pipeline] or '') -- guard: pipeline-cap
end

-- The oldest run of a project whose pipeline is below its cap. `project.at` stays behind those that were looked past: within one
-- script a pipeline only fills up. What waits no more, as its record says, is taken off.
local function oldest_of(project)
  while true do
    local id, since = unpack(redis.call('ZRANGE', project.backlog, project.at, project.at, 'WITHSCORES'))
    if not id then return nil end
    local run = redis.call('HMGET', ARGV[1] .. id, 'state', 'admittedAtMs', 'turn', 'pipeline')
    if run[1] ~= 'queued' or run[2] ~= '0' then
      redis.call('ZREM', project.backlog, id)
    elseif pipeline_is_full(run[4] or '') then
      if project.at >= project.may_look then return nil end
      project.at = project.at + 1
    else
      return {id = id, turn = run[3], since = tonumber(since), pipeline = run[4] or ''}
    end
  end
end

-- What is put off and due stands in its backlog again: as old as it is, or, after the third time, at the end. Tickets that can
-- never be read would come before all others of their project for ever.
local function back_in_line(project)
  local put_off = put_off_of(home, project)
  local due = redis.call('ZRANGEBYSCORE', put_off, '-inf', int(now), 'LIMIT', 0, ARGV[6])
  local last, at_ms = unpack(redis.call('ZRANGE', put_off, -1, -1, 'WITHSCORES'))
  if last and is_astray(tonumber(at_ms), ARGV[9]) then due[#due + 1] = last end -- guard: put-off-astray
  for _, id in ipairs(due) do
    local run = redis.call('HMGET', ARGV[1] .. id, 'queuedAtMs', 'postponed')
    redis.call('ZREM', put_off, id)
    redis.call('ZADD', backlog_of(home, project), tonumber(run[2] or 0) <= 3 and run[1] or int(now), id)
  end
end

local projects = {}
for i = 11, last_project, 2 do
  local backlog = backlog_of(home, ARGV[i])
  local vain = vain_of(home, ARGV[i])
  back_in_line(ARGV[i])
  local next_ms = tonumber(redis.call('HGET', vain, 'nextMs') or 0)
  if is_astray(next_ms, ARGV[8]) then next_ms = 0 end -- guard: vain-turns-astray
  if redis.call('EXISTS', backlog) == 1 and next_ms <= now then
    local admitted = admitted_of(home, 'project', ARGV[i])
    projects[#projects + 1] = {backlog = backlog, cap = ARGV[i + 1], at = 0, admitted = admitted,
      busy = busy_in(admitted, KEYS[4]), vain = vain}
  end
end

-- To each its share: who has a long row behind a full pipeline takes nothing from the others.
for _, project in ipairs(projects) do project.may_look = math.ceil(tonumber(ARGV[7]) / #projects) end

local room = room_in(KEYS[1], KEYS[3], now)

-- The project whose turn it is, with its run in `next`; nil when there is nothing to admit.
local function fairest()
  local best = nil
  for _, project in ipairs(projects) do
    local may = room > 0 or project.busy == 0
    if may then may = below_cap(project.admitted, project.cap) end -- guard: project-cap
    if may and not project.exhausted then
      if not project.next or pipeline_is_full(project.next.pipeline) then project.next = oldest_of(project) end
      project.exhausted = not project.next
      local fewer = best and project.busy < best.busy
      local older = best and project.next and project.busy == best.busy and project.next.since < best.next.since
      if project.next and (not best or fewer or older) then best = project end
    end
  end
  return best
end

local admitted = {}
for _ = 1, tonumber(ARGV[6]) do
  local project = fairest()
  if not project then break end
  local run = project.next
  redis.call('HSET', ARGV[1] .. run.id, 'admittedAtMs', int(now))
  redis.call('ZREM', project.backlog, run.id)
  redis.call('SADD', project.admitted, run.id)
  redis.call('SADD', admitted_of(home, 'pipeline', run.pipeline), run.id)
  redis.call('SADD', KEYS[3], run.id)
  admitted[#admitted + 1] = run.id
  admitted[#admitted + 1] = run.turn
  -- Whether that one starts or not: no other is tried before the pause is over.
  if redis.call('HEXISTS', project.vain, 'nextMs') == 1 then
    redis.call('HSET', project.vain, 'nextMs', int(now + tonumber(ARGV[8])))
    project.exhausted = true
  end
  project.next = nil
  project.busy = project.busy + 1
  room = room - 1
end
return {'admitted', admitted}
