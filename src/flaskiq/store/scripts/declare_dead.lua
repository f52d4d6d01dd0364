-- Declares a process dead if it has no heartbeat. It may have died with the wake token of the
-- promoters in hand, so these get another.
--
-- KEYS  1 its heartbeat   2 set of live processes   3 sorted set of lost processes
--       4 wake token of the promoters
-- ARGV  1 process
-- Returns 1 if it is declared dead now, else 0
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('SREM', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[1])
if redis.call('LLEN', KEYS[4]) == 0 then redis.call('LPUSH', KEYS[4], 1) end
return 1
