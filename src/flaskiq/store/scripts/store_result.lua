-- Writes the state or result of a job, and tells those who wait for it; only as long as the job is
-- in flight where it ran, and never over a success.
--
-- KEYS  1 result   2 in-flight hash of the process, optional
-- ARGV  1 value   2 seconds that it is kept, 0 for ever   3 how a success begins
--       4 field of the in-flight hash, optional
-- Returns 1, or 0 if there is a success already, or -1 if others have been given the job
if KEYS[2] and redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0 then return -1 end
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[3] - 1) == ARGV[3] then return 0 end
if ARGV[2] == '0' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
end
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1
