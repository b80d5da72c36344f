-- Puts the lists of fair use right by the records: a run that waits is in its backlog, one that is admitted and has not ended
-- counts towards its caps, and every other run is on none of them.
--
-- KEYS  1 the list on which the runs were found
-- ARGV  1 prefix of run keys   2 '1' = it is a list of fair use, and what does not belong there is taken off
--       3.. run ids
-- Returns {'tidied', how many were taken off, how many were put on}
local home = home_of(ARGV[1])
local is_zset = redis.call('TYPE', KEYS[1]).ok == 'zset'
local off, on = 0, 0

-- Where the record says that the run belongs: its backlog, or the lists of its caps.
local function right_lists(run)
  local state, admitted, project, pipeline = run[1], run[2], run[3], run[4] or ''
  if state == 'queued' and admitted == '0' then return {backlog_of(home, project)}, {} end
  -- Without the field it is the run of a version that admitted every run at once.
  if state ~= 'queued' and state ~= 'running' then return {}, {} end
  local caps = {admitted_of(home, 'project', project), admitted_of(home, 'pipeline', pipeline)}
  return caps, state == 'queued' and {home .. 'offered', home .. 'set-aside'} or {}
end

local function put_right(id)
  local run = redis.call('HMGET', ARGV[1] .. id, 'state', 'admittedAtMs', 'project', 'pipeline', 'queuedAtMs')
  local must, may = right_lists(run)
  local belongs = false
  for _, list in ipairs(must) do
    belongs = belongs or list == KEYS[1]
    if run[2] == '0' and run[1] == 'queued' then
      on = on + redis.call('ZADD', list, 'NX', run[5] or 0, id)
    else
      on = on + redis.call('SADD', list, id)
    end
  end
  for _, list in ipairs(may) do belongs = belongs or list == KEYS[1] end
  if ARGV[2] == '1' and not belongs then off = off + redis.call(is_zset and 'ZREM' or 'SREM', KEYS[1], id) end
end

for i = 3, #ARGV do put_right(ARGV[i]) end
return {'tidied', off, on}
