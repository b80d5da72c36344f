-- Step 5 of an attempt: `running` becomes terminal. Accepted only from the attempt that the record names; run id and
-- fence must be equal, never merely newer. Not while a service has told a result that the caller does not know: it was
-- promised that this becomes the run's end.
--
-- KEYS  1 run   2 ticket   3 heartbeat   4 output   5 runs:running   6 runs:<terminal state>   7 runs:unconfirmed
--       8 result   9 unheard   10 callback
-- ARGV  1 run id   2 fence   3 terminal state   4 reason   5 output tail   6 output TTL ms   7 run TTL ms
--       8 ticket TTL ms   9 label due in ms   10 '1' = only if the heartbeat is missing   11 how the attempt ended
--       12 result, '' without one   13 what the caller knows was told, '' = nothing
-- Returns {'finished'} | {'superseded'} | {'alive'} | {'told', what was told}
local told = redis.call('HGET', KEYS[10], 'told') or ''
if told ~= ARGV[13] then return {'told', told} end -- guard: told
local seen = redis.call('HMGET', KEYS[1], 'state', 'attemptFence', 'attempt')
-- The answer to the first time was lost: the same attempt says the same once more.
if seen[1] == ARGV[3] and seen[2] == ARGV[2] then return {'finished'} end -- guard: said-twice
if seen[1] ~= 'running' or seen[2] ~= ARGV[2] then return {'superseded'} end -- guard: attempt-fence
if ARGV[10] == '1' and redis.call('EXISTS', KEYS[3]) == 1 then return {'alive'} end -- guard: alive
local now = now_ms()
close_attempt(KEYS[1], now, ARGV[11], ARGV[4])
end_run(KEYS[1], now, ARGV[3], ARGV[4])
if ARGV[5] ~= '' then redis.call('SET', KEYS[4], ARGV[5], 'PX', ARGV[6]) end
keep_result(KEYS[8], ARGV[12], ARGV[7])
if ARGV[11] == 'interrupted' and told == '' then owe_news(KEYS[9], now, ARGV[1], ARGV[7]) end -- guard: unheard
stop_beating(KEYS[3], ARGV[1], seen[3], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('ZADD', KEYS[6], int(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', int(now - tonumber(ARGV[7])))
redis.call('ZADD', KEYS[7], int(now + tonumber(ARGV[9])), ARGV[1])
return {'finished'}
