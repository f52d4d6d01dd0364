-- Takes a job out of a sorted set.
--
-- KEYS  1 sorted set   2 its messages   3 its failures
-- ARGV  1 job id
-- Returns its queue, list and message, or nil if it is not there
local value = redis.call('HGET', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return value
