-- A beat of a running attempt. It is compared with the record, not with the key: an expired key after an outage says
-- nothing about who owns the ticket.
--
-- KEYS  1 run   2 ticket   3 heartbeat
-- ARGV  1 run id   2 attempt   3 fence   4 TTL ms
-- Returns {'ok', who asked to cancel or ''} | {'superseded'} | {'unknown'}
local mine = tonumber(ARGV[3])
local seen = redis.call('HMGET', KEYS[1], 'state', 'attemptFence', 'cancelRequested')
local newest = tonumber(redis.call('HGET', KEYS[2], 'fence') or 0)
-- An end is the last word on a run, also one that an earlier attempt has told after Redis had forgotten this one.
if has_ended(seen[1]) then return {'superseded'} end -- guard: ended
if seen[1] == 'running' and tonumber(seen[2]) == mine and redis.call('HGET', KEYS[2], 'run') == ARGV[1] then
  -- PEXPIRE works when Redis is out of memory, SET does not; so SET only when there is nothing to extend.
  if redis.call('PEXPIRE', KEYS[3], ARGV[4]) == 0 then
    redis.call('SET', KEYS[3], ARGV[1] .. ':' .. ARGV[2] .. ':' .. ARGV[3], 'PX', ARGV[4])
  end
  return {'ok', seen[3] or ''}
end
if newest > mine then return {'superseded'} end -- guard: newer-fence
return {'unknown'}
