-- Puts a job into the dead set, and in the same step takes it out of flight if it is there. Then
-- forgets the jobs that are too old or too many, at most 1,000 of each in one call.
--
-- KEYS  1 dead set   2 its messages   3 its failures   4 in-flight hash, optional
-- ARGV  1 job id   2 queue, list and message; '' for those in flight   3 failure
--       4 how many jobs are kept   5 how many seconds   6 field of the in-flight hash, optional
--       7 its value as it was read, '' for any
-- Returns 1, or 0 if the job was to leave flight and is not in flight any more
local value = ARGV[2]
if KEYS[4] then
  local held = redis.call('HGET', KEYS[4], ARGV[6])
  if not held or (ARGV[7] ~= '' and held ~= ARGV[7]) then return 0 end
  redis.call('HDEL', KEYS[4], ARGV[6])
  if value == '' then value = held end
end
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], value)
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])

local function forget(ids)
  if #ids == 0 then return end
  redis.call('ZREM', KEYS[1], unpack(ids))
  redis.call('HDEL', KEYS[2], unpack(ids))
  redis.call('HDEL', KEYS[3], unpack(ids))
end
forget(redis.call('ZRANGE', KEYS[1], '-inf', now - ARGV[5], 'BYSCORE', 'LIMIT', 0, 1000))
local too_many = redis.call('ZCARD', KEYS[1]) - ARGV[4]
if too_many > 0 then forget(redis.call('ZRANGE', KEYS[1], 0, math.min(too_many, 1000) - 1)) end
return 1
