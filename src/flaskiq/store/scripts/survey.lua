-- Tells a reaper what it has to look at, in one call.
--
-- KEYS  1 set of live processes   2 sorted set of lost processes
-- ARGV  1 prefix of heartbeats
-- Returns {run id of the server, {processes without a heartbeat}, {lost processes}}
local silent = {}
for _, process in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', ARGV[1] .. process) == 0 then silent[#silent + 1] = process end
end
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
return {run_id, silent, redis.call('ZRANGE', KEYS[2], 0, -1)}
