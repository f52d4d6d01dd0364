-- Notes that a part of a chord has ended, and enqueues the next of those that are held back.
-- Safe to repeat: a part that was noted before changes nothing.
--
-- KEYS  1 hash of the chord   2 its parts   3 those held back
-- ARGV  1 part, '' to enqueue the next one only   2 time, in seconds   3 prefix of wake tokens
--       4 seconds that all of this is kept   5 name of the part's task
-- Returns how many parts have not ended, -1 if the chord is not known
if redis.call('EXISTS', KEYS[2]) == 0 then return -1 end
local before = ARGV[1] ~= '' and redis.call('HGET', KEYS[2], ARGV[1])
if ARGV[1] == '' or (before and string.sub(before, 1, 1) ~= '=') then
  if before then
    redis.call('HSET', KEYS[2], ARGV[1], '=' .. ARGV[5])
    redis.call('HINCRBY', KEYS[1], 'ended', 1)
    redis.call('HINCRBY', KEYS[1], 'out', -1)
    redis.call('HSET', KEYS[1], 'changed_at', ARGV[2])
  end
  local part = redis.call('RPOP', KEYS[3])
  local value = part and redis.call('HGET', KEYS[2], part)
  if value then
    local id_end = string.find(value, '\0', 1, true)
    local queue_end = string.find(value, '\0', id_end + 1, true)
    local list_end = string.find(value, '\0', queue_end + 1, true)
    local wake = ARGV[3] .. string.sub(value, id_end + 1, queue_end - 1)
    redis.call('LPUSH', string.sub(value, queue_end + 1, list_end - 1), string.sub(value, list_end + 1))
    redis.call('HINCRBY', KEYS[1], 'out', 1)
    if redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
  end
  for key = 1, 3 do redis.call('EXPIRE', KEYS[key], ARGV[4]) end
end
return redis.call('HLEN', KEYS[2]) - (tonumber(redis.call('HGET', KEYS[1], 'ended')) or 0)
