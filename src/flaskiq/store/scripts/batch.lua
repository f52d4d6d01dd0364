-- Moves a batch on: notes how jobs of it ended, adds jobs to it and enqueues them, and fires what is due
-- of its events, and of those of the batches around it. An event fires once, and enqueues its callback.
-- Safe to repeat: a job that was noted before changes nothing.
--
-- In the hash <prefix><id> a batch has its description and the counts total, fresh (has not run yet),
-- failed (is to be retried), dead, done, skipped. <id>:jobs has those that are not over: id, one of
-- fresh, failed, dead. <id>:children are the batches in it without success, <id>:incomplete those that
-- are not complete. What a batch within another calls has to have run before the other goes on: it is a
-- job of the other, in states of its own (callback-fresh, ...), and in no count that is shown.
--
-- KEYS  1 scheduled set   2 its messages   3 wake token of the promoters   4 batches by time
-- ARGV  1 prefix of batches   2 prefix of wake tokens   3 id
--       4 'new' to begin it, 'add' to add to it, '' to note only
--       5 job of the batch that adds and is not over; '' for who has begun it, as long as it is open
--       6 'open' if more is to be added, 'close' if not, '' to leave that as it is
--       7 seconds that it is kept while jobs are left   8 after its success   9 after a death
--       10 number of fields for the hash   11 of jobs that ended   12 of jobs to add
--       13... fields: name, value   ended: id, outcome (failed, dead, done, skipped)
--             to add: id, time it is due or '', queue, list, message
-- Returns 1, or 0 if there is no such batch, or it takes no jobs from there
local prefix, wake, id = ARGV[1], ARGV[2], ARGV[3]
local clock = redis.call('TIME')
local now = string.format('%.3f', clock[1] + clock[2] / 1e6)
local next = 13

local function take(count)
  next = next + count
  return unpack(ARGV, next - count, next - 1)
end

local function keep(batch, seconds)
  for _, part in ipairs({'', ':jobs', ':children', ':incomplete'}) do
    redis.call('EXPIRE', prefix .. batch .. part, seconds)
  end
end

local function push(queue, list, message)
  redis.call('LPUSH', list, message)
  if redis.call('LLEN', wake .. queue) == 0 then redis.call('LPUSH', wake .. queue, 1) end
end

local function parent_of(batch)
  local parent = redis.call('HGET', prefix .. batch, 'parent')
  return parent and redis.call('EXISTS', prefix .. parent) == 1 and parent or nil
end

local function fire(batch, event)
  if redis.call('HSETNX', prefix .. batch, event .. '_at', now) == 0 then return false end
  local placed = redis.call('HGET', prefix .. batch, 'on_' .. event)
  if placed then
    local parent = parent_of(batch)
    if parent then
      local callback = redis.call('HGET', prefix .. batch, event .. '_job')
      redis.call('HSET', prefix .. parent .. ':jobs', callback, 'callback-fresh')
      redis.call('HINCRBY', prefix .. parent, 'callback-fresh', 1)
    end
    local queue_end = string.find(placed, '\0', 1, true)
    local list_end = string.find(placed, '\0', queue_end + 1, true)
    push(string.sub(placed, 1, queue_end - 1), string.sub(placed, queue_end + 1, list_end - 1),
      string.sub(placed, list_end + 1))
  end
  return true
end

local function count(field, by) redis.call('HINCRBY', prefix .. id, field, by) end

local function settle(job, outcome)
  local before = redis.call('HGET', prefix .. id .. ':jobs', job)
  if not before then return end
  local state = string.sub(before, 1, 9) == 'callback-' and 'callback-' .. outcome or outcome
  if before == state then return end
  if outcome == 'failed' or outcome == 'dead' then
    redis.call('HSET', prefix .. id .. ':jobs', job, state)
  else
    redis.call('HDEL', prefix .. id .. ':jobs', job)
  end
  count(before, -1)
  count(state, 1)
  if outcome == 'dead' then
    local batch = id
    while batch do
      fire(batch, 'death')
      keep(batch, ARGV[9])
      batch = parent_of(batch)
    end
  end
end

local function add(job, at, queue, list, message)
  redis.call('HSET', prefix .. id .. ':jobs', job, 'fresh')
  if at == '' then return push(queue, list, message) end
  redis.call('HSET', KEYS[2], job, queue .. '\0' .. list .. '\0' .. message)
  redis.call('ZADD', KEYS[1], at, job)
  if redis.call('ZRANK', KEYS[1], job) == 0 then
    redis.call('DEL', KEYS[3])
    redis.call('LPUSH', KEYS[3], 1)
  end
end

local exists = redis.call('EXISTS', prefix .. id) == 1
if ARGV[4] == 'new' then
  if exists then return 1 end
  for _ = 1, ARGV[10] do redis.call('HSET', prefix .. id, take(2)) end
  redis.call('HSET', prefix .. id, 'created_at', now)
  redis.call('ZADD', KEYS[4], now, id)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[9])
  local parent = parent_of(id)
  if parent then
    redis.call('SADD', prefix .. parent .. ':children', id)
    redis.call('SADD', prefix .. parent .. ':incomplete', id)
    keep(parent, ARGV[7])
  end
elseif not exists then
  return 0
elseif ARGV[4] == 'add' then
  if redis.call('HEXISTS', prefix .. id, 'cancelled_at') == 1 then return 0 end
  local holder = ARGV[5] == '' and prefix .. id or prefix .. id .. ':jobs'
  if redis.call('HEXISTS', holder, ARGV[5] == '' and 'open' or ARGV[5]) == 0 then return 0 end
end

for _ = 1, ARGV[11] do settle(take(2)) end
if ARGV[12] ~= '0' then
  count('total', ARGV[12])
  count('fresh', ARGV[12])
  for _ = 1, ARGV[12] do add(take(5)) end
end
if ARGV[6] == 'open' then redis.call('HSET', prefix .. id, 'open', 1) end
if ARGV[6] == 'close' then redis.call('HDEL', prefix .. id, 'open') end

local batch = id
while batch do
  local key = prefix .. batch
  local open, fresh, callbacks, cancelled =
    unpack(redis.call('HMGET', key, 'open', 'fresh', 'callback-fresh', 'cancelled_at'))
  local has_gone_on = false
  local waits = open or (fresh or '0') ~= '0' or (callbacks or '0') ~= '0'
  if not waits and redis.call('EXISTS', key .. ':incomplete') == 0 then
    has_gone_on = fire(batch, 'complete')
    if redis.call('EXISTS', key .. ':jobs', key .. ':children') == 0 and not cancelled then
      has_gone_on = fire(batch, 'success') or has_gone_on
    end
  end
  local is_over = redis.call('HEXISTS', key, 'success_at') == 1
  if is_over then
    keep(batch, ARGV[8])
  elseif redis.call('HEXISTS', key, 'death_at') == 0 then
    keep(batch, ARGV[7])
  end
  local parent = has_gone_on and parent_of(batch) or nil
  if parent then
    redis.call('SREM', prefix .. parent .. ':incomplete', batch)
    if is_over then redis.call('SREM', prefix .. parent .. ':children', batch) end
  end
  batch = parent
end
return 1
