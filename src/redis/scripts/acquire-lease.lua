-- Takes a free lease and begins a term with a new epoch.
-- After Redis lost its data a lease that looks free may belong to a leader that still trusts itself: nobody gets one
-- until that leader's trust has run out.
--
-- KEYS  1 lease   2 epoch of the role   3 incarnation
-- ARGV  1 value `instance:token`   2 TTL in ms   3 how long a leader trusts itself, in ms
-- Returns {'acquired', epoch} or {'held', holder, ms left} or {'recovering', ms}
local now = now_ms()
local wait = recovering_ms(KEYS[3], tonumber(ARGV[3]), now)
if wait ~= 0 then return {'recovering', int(wait)} end -- guard: recovering
local holder = redis.call('GET', KEYS[1])
if holder then return {'held', holder, redis.call('PTTL', KEYS[1])} end -- guard: one-leader
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local epoch = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)
redis.call('SET', KEYS[2], int(epoch))
return {'acquired', int(epoch)}
