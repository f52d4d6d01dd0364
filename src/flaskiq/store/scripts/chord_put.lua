-- Enqueues a message that has to do with chords: a part of one, the body of one, or both.
-- A body is enqueued once, however often this is called. A part is noted with its message; if as many
-- parts as may be out at once are out already, it is held back and not enqueued.
--
-- In the hash of parts each part has one of:
--   = and the name of its task           it has ended
--   ?                                    its message is still to come
--   id NUL queue NUL list NUL message    the job that it is, or that leads to it
--
-- KEYS  1 list of the queue   2 its wake token   3 set of what the chord has called
--       4 hash of the chord that it is a part of   5 its parts   6 those held back
-- ARGV  1 message   2 id of the message if it is to be enqueued once, else ''
--       3 part, '' if it is none   4 the part's value   5 seconds that all of this is kept
-- Returns 1 if it was enqueued, 0 if that was done before or it is held back
if ARGV[2] ~= '' then
  local is_first = redis.call('SADD', KEYS[3], ARGV[2]) == 1
  redis.call('EXPIRE', KEYS[3], ARGV[5])
  if not is_first then return 0 end
end
if ARGV[3] ~= '' then
  local before = redis.call('HGET', KEYS[5], ARGV[3])
  redis.call('HSET', KEYS[5], ARGV[3], ARGV[4])
  local limit = redis.call('HGET', KEYS[4], 'limit')
  local is_new = not before or before == '?'
  local is_held = is_new and limit and tonumber(redis.call('HGET', KEYS[4], 'out') or 0) >= tonumber(limit)
  if is_held then
    redis.call('LPUSH', KEYS[6], ARGV[3])
  elseif is_new then
    redis.call('HINCRBY', KEYS[4], 'out', 1)
  end
  for key = 4, 6 do redis.call('EXPIRE', KEYS[key], ARGV[5]) end
  if is_held then return 0 end
end
redis.call('LPUSH', KEYS[1], ARGV[1])
if redis.call('LLEN', KEYS[2]) == 0 then redis.call('LPUSH', KEYS[2], 1) end
return 1
