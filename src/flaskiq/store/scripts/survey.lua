-- Tells a reaper what it has to look at, in one call, and forgets the lost processes of which nothing
-- is left and no command can arrive any more.
--
-- KEYS  1 set of live processes   2 sorted set of lost processes
-- ARGV  1 prefix of heartbeats   2 prefix of in-flight hashes
--       3 seconds after which no command of a lost process arrives
-- Returns {run id of the server, {processes without a heartbeat},
--          {lost processes with jobs in flight}}
local silent, lost = {}, {}
for _, process in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', ARGV[1] .. process) == 0 then silent[#silent + 1] = process end
end
for _, process in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if redis.call('EXISTS', ARGV[2] .. process) == 1 then lost[#lost + 1] = process end
end
local latest = redis.call('TIME')[1] - ARGV[3]
for _, process in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', latest, 'BYSCORE')) do
  if redis.call('EXISTS', ARGV[2] .. process) == 0 then redis.call('ZREM', KEYS[2], process) end
end
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
return {run_id, silent, lost}
