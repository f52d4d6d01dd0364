-- Pushes jobs in flight back to the front of their lists, in the order in which they were taken.
-- Safe to repeat: a field that is gone is passed over.
--
-- KEYS  1 in-flight hash of a process
-- ARGV  1 prefix of wake tokens   2... fields, the last taken first
-- Returns the number of jobs pushed back
local moved = 0
for i = 2, #ARGV do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  if value then
    local queue_end = string.find(value, '\0', 1, true)
    local list_end = string.find(value, '\0', queue_end + 1, true)
    local wake = ARGV[1] .. string.sub(value, 1, queue_end - 1)
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('RPUSH', string.sub(value, queue_end + 1, list_end - 1), string.sub(value, list_end + 1))
    if redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
    moved = moved + 1
  end
end
return moved
