-- Makes a scheduler the leader, or lets it stay that. The token of a leadership begins with a number
-- that only grows, so none is ever used twice.
--
-- KEYS  1 token of the leader   2 counter of leaderships
-- ARGV  1 who asks   2 token that it has, '' for none   3 milliseconds that it leads without asking
-- Returns {1, its token}, or {0, token of another}
local token = redis.call('GET', KEYS[1])
if token and token ~= ARGV[2] then return {0, token} end
if not token then token = redis.call('INCR', KEYS[2]) .. '/' .. ARGV[1] end
redis.call('SET', KEYS[1], token, 'PX', ARGV[3])
return {1, token}
