-- Forgets a run that is due although its label is nobody's business: it is gone, or not its ticket's. Whoever calls has seen
-- that some time ago; a claim that came to nothing may have given the ticket back to the run since then.
--
-- KEYS  1 run   2 runs:unconfirmed
-- ARGV  1 run id   2 prefix of ticket keys
-- Returns 1 when it was forgotten, 0 when it was not due or is its ticket's
local seen = redis.call('HMGET', KEYS[1], 'ticket', 'labelState')
local current = seen[1] and redis.call('HGET', ARGV[2] .. seen[1], 'run')
if current == ARGV[1] and seen[2] == 'unconfirmed' then return 0 end -- guard: ticket-run
return redis.call('ZREM', KEYS[2], ARGV[1])
