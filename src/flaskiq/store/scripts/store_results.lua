-- Writes the results of jobs that succeeded, and tells those who wait for them; of each only as long
-- as the job is in flight, and never over a success. Safe to repeat.
--
-- KEYS  1 in-flight hash   2... results
-- ARGV  1 how a success begins   2... for each result: value, seconds that it is kept (0 for ever),
--       field of the in-flight hash
-- Returns the number of jobs that were not in flight
local fenced = 0
for i = 2, #KEYS do
  local at = 3 * i - 4
  if redis.call('HEXISTS', KEYS[1], ARGV[at + 2]) == 0 then
    fenced = fenced + 1
  elseif redis.call('GETRANGE', KEYS[i], 0, #ARGV[1] - 1) ~= ARGV[1] then
    if ARGV[at + 1] == '0' then
      redis.call('SET', KEYS[i], ARGV[at])
    else
      redis.call('SETEX', KEYS[i], ARGV[at + 1], ARGV[at])
    end
    redis.call('PUBLISH', KEYS[i], ARGV[at])
  end
end
return fenced
