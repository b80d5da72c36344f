-- Step 0 of an attempt: a job was taken from the queue. The job is a pointer; the record decides.
--
-- KEYS  1 run   2 offered   3 set-aside
-- ARGV  1 turn   2 run id
-- Returns {'taken', run record} or {'dropped', state or ''}
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn', 'admittedAtMs')
if seen[1] ~= 'queued' or seen[2] ~= ARGV[1] then return {'dropped', seen[1] or ''} end -- guard: take
-- Its job is a stray one, as an older version's repair adds again and again: no vain take, or the run would fail of them.
if seen[3] == '0' then return {'dropped', 'waiting'} end -- guard: admitted
redis.call('HINCRBY', KEYS[1], 'takes', 1)
redis.call('SREM', KEYS[2], ARGV[2])
redis.call('SREM', KEYS[3], ARGV[2])
return {'taken', record(KEYS[1])}
