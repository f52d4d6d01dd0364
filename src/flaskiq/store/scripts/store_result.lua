-- Writes the state or result of a job, and tells those who wait for it; only as long as the job is
-- where it is said to be, such as in flight, and never over a success.
--
-- KEYS  1 result   2... hashes of which one must hold the job; none: anything goes
-- ARGV  1 value   2 seconds that it is kept, 0 for ever   3 how a success begins
--       4... the field of each of these hashes
-- Returns 1, or 0 if there is a success already, or -1 if the job is elsewhere
local is_there = #KEYS == 1
for i = 2, #KEYS do
  is_there = is_there or redis.call('HEXISTS', KEYS[i], ARGV[i + 2]) == 1
end
if not is_there then return -1 end
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[3] - 1) == ARGV[3] then return 0 end
if ARGV[2] == '0' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
end
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1
