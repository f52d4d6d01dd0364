-- Moves due jobs from sorted sets to their ready lists, by the clock of the server.
--
-- KEYS  for each set: sorted set, its messages, its failures
-- ARGV  1 how many jobs at most from each set   2 prefix of wake tokens
-- Returns {number of jobs moved, milliseconds until the next is due; -1 if there is none}
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local moved, next_due = 0, nil
for i = 1, #KEYS, 3 do
  local due = redis.call('ZRANGE', KEYS[i], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])
  for _, id in ipairs(due) do
    local value = redis.call('HGET', KEYS[i + 1], id)
    if value then
      local queue_end = string.find(value, '\0', 1, true)
      local list_end = string.find(value, '\0', queue_end + 1, true)
      local wake = ARGV[2] .. string.sub(value, 1, queue_end - 1)
      redis.call('LPUSH', string.sub(value, queue_end + 1, list_end - 1), string.sub(value, list_end + 1))
      if redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
      redis.call('HDEL', KEYS[i + 1], id)
      moved = moved + 1
    end
    redis.call('ZREM', KEYS[i], id)
    redis.call('HDEL', KEYS[i + 2], id)
  end
  local first = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  if first[2] and (not next_due or tonumber(first[2]) < next_due) then next_due = tonumber(first[2]) end
end
if not next_due then return {moved, -1} end
return {moved, math.max(0, math.ceil((next_due - now) * 1000))}
