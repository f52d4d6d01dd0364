-- Puts a job into a sorted set, and in the same step takes it out of flight if it is there.
-- Adding a job that is there replaces it: a job id is in a set once.
--
-- KEYS  1 sorted set   2 its messages   3 its failures   4 wake token of the promoters
--       5 in-flight hash, optional
-- ARGV  1 job id   2 time it is due, seconds since the epoch   3 queue, list and message
--       4 failure, '' for none   5 field of the in-flight hash, optional
-- Returns 1, or 0 if the job was to leave flight and is not in flight any more
if KEYS[5] and redis.call('HDEL', KEYS[5], ARGV[5]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], ARGV[1], ARGV[4]) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('ZRANK', KEYS[1], ARGV[1]) == 0 then
  redis.call('DEL', KEYS[4])
  redis.call('LPUSH', KEYS[4], 1)
end
return 1
