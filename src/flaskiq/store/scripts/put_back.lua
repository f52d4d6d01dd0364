-- Pushes one job of a dead process back to the front of its list, with a new message. Only if it is
-- still in flight as it was read, so that two reapers never move it twice.
--
-- KEYS  1 in-flight hash   2 list the job belongs to   3 wake token
-- ARGV  1 field   2 its value as it was read   3 message to push
-- Returns 1, or 0 if the job has gone on already
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[3])
if redis.call('LLEN', KEYS[3]) == 0 then redis.call('LPUSH', KEYS[3], 1) end
return 1
