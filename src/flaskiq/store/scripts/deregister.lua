-- Forgets a process that ends. What it has in flight is left to the reapers, and so is a fetch of it
-- that may still arrive.
--
-- KEYS  1 set of live processes   2 sorted set of lost processes   3 its heartbeat   4 its facts
--       5 its running jobs   6 its in-flight hash
-- ARGV  1 process   2 1 if a fetch may arrive
-- Returns 1 if it is among the lost, else 0
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5])
if ARGV[2] == '1' or redis.call('EXISTS', KEYS[6]) == 1 then
  redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1])
  return 1
end
return 0
