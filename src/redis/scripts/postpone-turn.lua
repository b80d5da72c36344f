-- A taken turn cannot start yet (ticket unreadable, recovering): it counts neither as an attempt nor as a vain take.
--
-- KEYS  1 run
-- ARGV  1 turn
-- Returns {'postponed', how often in this turn} or {'dropped', state or ''}
local seen = redis.call('HMGET', KEYS[1], 'state', 'turn')
if seen[1] ~= 'queued' or seen[2] ~= ARGV[1] then return {'dropped', seen[1] or ''} end -- guard: turn
redis.call('HINCRBY', KEYS[1], 'takes', -1)
return {'postponed', redis.call('HINCRBY', KEYS[1], 'postponed', 1)}
