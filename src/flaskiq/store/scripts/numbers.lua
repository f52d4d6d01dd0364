-- Counts everything that a page shows of an app, in one trip and in constant time.
--
-- KEYS  1 counts since the beginning   2 processes   3 scheduled set   4 retry set   5 dead set
--       6... the lists of the queues
-- ARGV  1 prefix of what runs in a process   2... fields of the counts
-- Returns processes, busy, scheduled, retries, dead, then the fields, then the length of each list
local processes = redis.call('SMEMBERS', KEYS[2])
local busy = 0
for _, process in ipairs(processes) do busy = busy + redis.call('HLEN', ARGV[1] .. process) end
local found = {#processes, busy}
for key = 3, 5 do found[#found + 1] = redis.call('ZCARD', KEYS[key]) end
for field = 2, #ARGV do found[#found + 1] = tonumber(redis.call('HGET', KEYS[1], ARGV[field]) or 0) end
for key = 6, #KEYS do found[#found + 1] = redis.call('LLEN', KEYS[key]) end
return found
