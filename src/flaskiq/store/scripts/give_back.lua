-- Gives what a stock worker has fetched back to its queue, if it has it still.
--
-- KEYS  1 hash of what stock workers have fetched   2 its index by time   3 list of the queue   4 wake token
-- ARGV  1 tag   2 its value in the hash   3 message
-- Returns whether that was done
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('RPUSH', KEYS[3], ARGV[3])
if redis.call('LLEN', KEYS[4]) == 0 then redis.call('LPUSH', KEYS[4], 1) end
return 1
