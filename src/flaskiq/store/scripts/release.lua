-- Moves a job from a sorted set behind the others of its queue, with a new message. Only if it is
-- still there as it was read, so that a job is never moved twice. One that had finished has not any
-- more.
--
-- KEYS  1 sorted set   2 its messages   3 its failures   4 list the job belongs to   5 wake token
--       6 finished jobs   7 their records
-- ARGV  1 job id   2 its value as it was read   3 message to push
-- Returns 1, or 0 if the job has gone on already
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[6], ARGV[1])
redis.call('HDEL', KEYS[7], ARGV[1])
redis.call('LPUSH', KEYS[4], ARGV[3])
if redis.call('LLEN', KEYS[5]) == 0 then redis.call('LPUSH', KEYS[5], 1) end
return 1
