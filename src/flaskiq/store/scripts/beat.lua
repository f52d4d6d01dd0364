-- The heartbeat of a process, with what it tells of itself, and what it has to know: whether it
-- still counts as alive, which queues are paused, and what it has in flight.
--
-- A server whose memory is full refuses SET, but not PEXPIRE, nor what follows it in a script: a
-- process must not seem dead for that.
--
-- KEYS  1 its heartbeat   2 set of live processes   3 set of paused queues   4 its in-flight hash
--       5 its facts   6 its running jobs
-- ARGV  1 process   2 milliseconds that it lives   3 1 if it begins to fetch
--       4... facts: field, value
-- Returns {1 if it counts as alive, else 0, {paused queues}, {fields in flight}}
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
end
if ARGV[3] == '1' then redis.call('SADD', KEYS[2], ARGV[1]) end
if #ARGV > 3 then redis.call('HSET', KEYS[5], unpack(ARGV, 4)) end
redis.call('PEXPIRE', KEYS[5], ARGV[2])
redis.call('PEXPIRE', KEYS[6], ARGV[2])
return {
  redis.call('SISMEMBER', KEYS[2], ARGV[1]),
  redis.call('SMEMBERS', KEYS[3]),
  redis.call('HKEYS', KEYS[4]),
}
