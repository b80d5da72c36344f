-- Somebody wants a run to end before it has. The wish is put on its record, where whoever has the run finds it: a worker with
-- its next beat, which the message brings about; a claim when it commits or gives up; repair when its worker has died. One
-- that waits in the queue is then ended by the script for that (end-queued). Who asked first stays on record, unless the later
-- wish takes the place of that one.
--
-- KEYS  1 run
-- ARGV  1 run id   2 who asks   3 channel   4.. whose place that takes
-- Returns {'requested', who is on record, state, turn} | {'ended', state} | {'unknown'}
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn', 'cancelRequested')
if not seen[1] then return {'unknown'} end -- guard: forgotten
if has_ended(seen[1]) then return {'ended', seen[1]} end -- guard: ended
local by = seen[3]
for i = 4, #ARGV do if by == ARGV[i] then by = nil end end -- guard: outranked
by = by or ARGV[2]
redis.call('HSET', KEYS[1], 'cancelRequested', by)
if seen[1] == 'running' then redis.call('PUBLISH', ARGV[3], ARGV[1]) end
return {'requested', by, seen[1], seen[2] or '0'}
