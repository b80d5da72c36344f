-- Puts the lists of fair use right by the records: a run that waits is in its backlog or put off, one that is admitted and has
-- not ended counts towards its caps, and every other run is on none of them.
--
-- KEYS  1 the list on which the runs were found
-- ARGV  1 prefix of run keys   2 '1' = it is a list of fair use, and what does not belong there is taken off
--       3.. run ids
-- Returns {'tidied', how many entries were taken off, how many were put on}
local home = home_of(ARGV[1])
local off, on = 0, 0

-- What the record says: 'waiting', 'queued' and admitted, 'running', or nil: of no concern for fair use.
local function standing(id, run)
  if run.state == 'running' then return 'running' end
  if run.state ~= 'queued' then return nil end
  -- The ticket has a newer run, after a failover brought this one back: it can never start.
  local current = redis.call('HGET', home .. 'ticket:' .. run.ticket, 'run')
  if current and current ~= id then return nil end
  -- Without a word on admission it is the run of a version that admitted every run at once.
  return run.admitted == '0' and 'waiting' or 'queued'
end

local function put_right(id)
  local fields = redis.call('HMGET', ARGV[1] .. id, 'state', 'admittedAtMs', 'project', 'pipeline', 'queuedAtMs', 'ticket')
  local run = {state = fields[1], admitted = fields[2], ticket = fields[6]}
  local is = standing(id, run)
  local belongs = {}
  if is == 'waiting' then
    local backlog, put_off = backlog_of(home, fields[3]), put_off_of(home, fields[3])
    if redis.call('ZSCORE', put_off, id) then
      belongs[put_off] = true
    else
      belongs[backlog] = true
      on = on + redis.call('ZADD', backlog, 'NX', fields[5] or 0, id)
    end
  elseif is then
    for kind, name in pairs({project = fields[3], pipeline = fields[4] or ''}) do
      local list = admitted_of(home, kind, name)
      belongs[list] = true
      on = on + redis.call('SADD', list, id)
    end
    belongs[home .. 'offered'] = is == 'queued'
    belongs[home .. 'set-aside'] = is == 'queued'
  end
  if ARGV[2] == '1' and not belongs[KEYS[1]] then
    off = off + redis.call(redis.call('TYPE', KEYS[1]).ok == 'zset' and 'ZREM' or 'SREM', KEYS[1], id)
  end
end

for i = 3, #ARGV do put_right(ARGV[i]) end
return {'tidied', off, on}
