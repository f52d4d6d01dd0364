-- Deals with a slot of a cron entry: enqueues its job if there is one, and moves the entry on. Only for
-- the leader, and only if the entry is still where the leader has seen it: so a slot is enqueued once,
-- whoever asks, and however often.
--
-- KEYS  1 token of the leader   2 entry   3 its last runs   4 how they ended
--       5 list of ready jobs   6 wake token of its queue
-- ARGV  1 token of who asks   2 slot that the entry has been moved to before, '' for none   3 slot
--       4 record of the run   5 message, '' for none   6 number of runs that are kept
-- Returns 'fired', 'paused', 'moved' if others have dealt with the slot, or 'deposed' if another leads
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'deposed' end
if (redis.call('HGET', KEYS[2], 'slot') or '') ~= ARGV[2] then return 'moved' end
redis.call('HSET', KEYS[2], 'slot', ARGV[3])
if redis.call('HEXISTS', KEYS[2], 'paused') == 1 then return 'paused' end
redis.call('LPUSH', KEYS[3], ARGV[4])
for _ = redis.call('LLEN', KEYS[3]), ARGV[6] + 1, -1 do
  local forgotten = cjson.decode(redis.call('RPOP', KEYS[3]))
  redis.call('HDEL', KEYS[4], tostring(forgotten.id))
end
if ARGV[5] ~= '' then
  redis.call('LPUSH', KEYS[5], ARGV[5])
  if redis.call('LLEN', KEYS[6]) == 0 then redis.call('LPUSH', KEYS[6], 1) end
end
return 'fired'
