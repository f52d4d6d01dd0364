-- Moves a job from a sorted set into the dead set, as it is. Of its failures the last is kept, or
-- the given one if there is none. Only if it is still there.
--
-- KEYS  1 sorted set   2 its messages   3 its failures   4 dead set   5 its messages   6 its failures
-- ARGV  1 job id   2 failure
-- Returns its value, or nil if it is not there
local value = redis.call('HGET', KEYS[2], ARGV[1])
if not value then return nil end
local failure = redis.call('HGET', KEYS[3], ARGV[1]) or ARGV[2]
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
local clock = redis.call('TIME')
redis.call('ZADD', KEYS[4], clock[1] + clock[2] / 1e6, ARGV[1])
redis.call('HSET', KEYS[5], ARGV[1], value)
redis.call('HSET', KEYS[6], ARGV[1], failure)
return value
