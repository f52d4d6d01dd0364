-- Ends a leadership, if it is not over.
--
-- KEYS  1 token of the leader
-- ARGV  1 token of who resigns
-- Returns 1, or 0 if another leads
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
