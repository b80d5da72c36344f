-- A taken turn cannot start yet (ticket unreadable, recovering): it counts neither as an attempt nor as a vain take, and is
-- set aside: it holds up nobody of its project.
--
-- KEYS  1 run   2 set-aside
-- ARGV  1 turn   2 run id
-- Returns {'postponed', how often in this turn} or {'dropped', state or ''}
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn', 'admittedAtMs')
if seen[1] ~= 'queued' or seen[2] ~= ARGV[1] then return {'dropped', seen[1] or ''} end -- guard: turn
-- Its job is a stray one: it would stand in the way of the one that follows its admission.
if seen[3] == '0' then return {'dropped', 'waiting'} end -- guard: admitted
redis.call('HINCRBY', KEYS[1], 'takes', -1)
redis.call('SADD', KEYS[2], ARGV[2])
return {'postponed', redis.call('HINCRBY', KEYS[1], 'postponed', 1)}
