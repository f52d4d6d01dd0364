-- Records what has ended in a process, and what runs there now. A batch that comes again, since its
-- reply was lost, is not counted twice. Then forgets finished jobs that are too old or too many, at
-- most 1,000 of each in one call.
--
-- KEYS  1 facts of the process   2 its running jobs   3 counts since the beginning   4 of the day
--       5 of the minute   6 finished jobs by time   7 their records   8 series since the beginning
-- ARGV  1 number of the batch, '' for none   2 milliseconds that the running jobs are kept
--       3 seconds that counts of a day are kept   4 of a minute
--       5 how many finished jobs are kept   6 how many seconds
--       7 number of running jobs   8 of counts   9 of run times   10 of series   11 of finished jobs
--       12... running: id, record   counts: field, number   run times, series: the same
--             finished: id, time, record
-- Returns 1, or 0 if the batch was recorded before
local next = 12
local function pair()
  next = next + 2
  return ARGV[next - 2], ARGV[next - 1]
end

redis.call('DEL', KEYS[2])
local last = next + 2 * ARGV[7] - 1
if last >= next then
  redis.call('HSET', KEYS[2], unpack(ARGV, next, last))
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
next = last + 1
if ARGV[1] == '' or redis.call('HGET', KEYS[1], 'recorded') == ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'recorded', ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end

for _ = 1, ARGV[8] do
  local field, number = pair()
  for i = 3, 5 do redis.call('HINCRBY', KEYS[i], field, number) end
end
for _ = 1, ARGV[9] do
  redis.call('HINCRBY', KEYS[5], pair())
end
for _ = 1, ARGV[10] do
  redis.call('HINCRBY', KEYS[8], pair())
end
redis.call('EXPIRE', KEYS[4], ARGV[3])
redis.call('EXPIRE', KEYS[5], ARGV[4])

local times, records = {}, {}
for i = 1, 2 * ARGV[11], 2 do
  local id, at = pair()
  times[i], times[i + 1], records[i], records[i + 1] = at, id, id, ARGV[next]
  next = next + 1
end
if times[1] then
  redis.call('ZADD', KEYS[6], unpack(times))
  redis.call('HSET', KEYS[7], unpack(records))
end
local function forget(ids)
  if #ids == 0 then return end
  redis.call('ZREM', KEYS[6], unpack(ids))
  redis.call('HDEL', KEYS[7], unpack(ids))
end
local oldest = redis.call('TIME')[1] - ARGV[6]
forget(redis.call('ZRANGE', KEYS[6], '-inf', oldest, 'BYSCORE', 'LIMIT', 0, 1000))
local too_many = redis.call('ZCARD', KEYS[6]) - ARGV[5]
if too_many > 0 then forget(redis.call('ZRANGE', KEYS[6], 0, math.min(too_many, 1000) - 1)) end
return 1
