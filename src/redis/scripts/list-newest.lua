-- The newest members of several sorted sets in one moment: what moves from one to another is in exactly one of them.
-- A script and no transaction, because Redis refuses even reads in one while its memory is full: that is when people look.
--
-- KEYS  sorted sets of ids by time
-- ARGV  1 most of each   2 only what is older than this ms, '' = all; what has just this time is listed whole
-- Returns for each set a list: id, time, id, time, ...
local found = {}
for i, set in ipairs(KEYS) do
  local before = ARGV[2]
  local list = before == '' and {} or redis.call('ZREVRANGEBYSCORE', set, before, before, 'WITHSCORES')
  local newest = before == '' and '+inf' or ('(' .. before)
  local older = redis.call('ZREVRANGEBYSCORE', set, newest, '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
  for _, value in ipairs(older) do list[#list + 1] = value end
  found[i] = list
end
return found
