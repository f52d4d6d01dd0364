-- Changes when a job of a sorted set is due, and the message that says so. Only if it is still there
-- as it was read.
--
-- KEYS  1 sorted set   2 its messages   3 wake token of the promoters
-- ARGV  1 job id   2 its value as it was read   3 time it is due   4 its new value
-- Returns 1, or 0 if the job has gone on already
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
redis.call('ZADD', KEYS[1], 'XX', ARGV[3], ARGV[1])
if redis.call('ZRANK', KEYS[1], ARGV[1]) == 0 then
  redis.call('DEL', KEYS[3])
  redis.call('LPUSH', KEYS[3], 1)
end
return 1
