-- Acknowledges what a process has finished and writes the results of that, takes jobs from the first
-- list that has any, and records them in flight: there is no moment at which a job is only in a
-- process. Safe to repeat with other seqs.
--
-- KEYS  1 in-flight hash of the process   2 set of live processes
--       3... lists of ready jobs, in the order in which they are served, then results
-- ARGV  1 mark of a job that was in flight in a dead process   2 prefix of wake tokens
--       3 how a success begins   4 number of lists
--       5 number of groups: neighbours of which a fetch takes the same number of jobs at most
--       6 number of queues   7... the queues, whose lists take turns, then for each group how many
--       lists, and how many jobs at most, then credit, first seq, 1 if a wake token led here, then
--       for each result its value and the seconds that it is kept (0 for ever), and the acknowledged
--       fields, first those with a result
-- Returns {acknowledged fields that were in flight, then for each job: seq, place of its list
--          from 1, message}
-- A result is written only if its job was in flight, and never over a success.
local lists, groups, queues = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local own = 7 + queues + 2 * groups
local function queue_of(place) return ARGV[7 + (place - 1) % queues] end
local credit, seq = tonumber(ARGV[own]), tonumber(ARGV[own + 1])
local taken, record = {0}, {'HSET', KEYS[1]}
local results = #KEYS - 2 - lists
local acks = own + 3 + 2 * results
for i = 0, results - 1 do
  local key, value, seconds = KEYS[3 + lists + i], ARGV[own + 3 + 2 * i], ARGV[own + 4 + 2 * i]
  local was_in_flight = redis.call('HDEL', KEYS[1], ARGV[acks + i])
  taken[1] = taken[1] + was_in_flight
  if was_in_flight == 1 then
    local how_long = seconds == '0' and {} or {'EX', seconds}
    local is_written = redis.call('SET', key, value, 'NX', unpack(how_long))
    if not is_written and redis.call('GETRANGE', key, 0, #ARGV[3] - 1) ~= ARGV[3] then
      is_written = redis.call('SET', key, value, unpack(how_long))
    end
    if is_written then redis.call('PUBLISH', key, value) end
  end
end
if acks + results <= #ARGV then
  taken[1] = taken[1] + redis.call('HDEL', KEYS[1], unpack(ARGV, acks + results))
end

-- The lists of a group are asked in one command.
local popped, first = nil, 3
for group = 7 + queues, own - 1, 2 do
  local last = first + ARGV[group] - 1
  local pop = {'LMPOP', ARGV[group], unpack(KEYS, first, last)}
  pop[#pop + 1], pop[#pop + 2] = 'RIGHT', 'COUNT'
  pop[#pop + 1] = math.min(credit, tonumber(ARGV[group + 1]))
  popped = redis.call(unpack(pop))
  if popped then break end
  first = last + 1
end
if not popped then return taken end

local list, messages = popped[1], popped[2]
local place, keep = 1, #messages
while KEYS[place + 2] ~= list do place = place + 1 end
local head = queue_of(place) .. '\0' .. list .. '\0'
-- Of a queue that several processes serve, a batch is an equal share.
if keep > 1 then
  local all = keep + redis.call('LLEN', list)
  keep = math.min(keep, math.ceil(all / math.max(1, redis.call('SCARD', KEYS[2]))))
end
-- A job whose process died before runs alone, so that its neighbours do not die with it.
local alone = false
for i = 1, keep do
  if string.find(messages[i], ARGV[1], 1, true) then
    local company = i > 1 or redis.call('HLEN', KEYS[1]) > 0
    alone, keep = true, company and i - 1 or 1
    break
  end
end
for i = 1, keep do
  taken[3 * i - 1], taken[3 * i], taken[3 * i + 1] = seq, place, messages[i]
  record[2 * i + 1], record[2 * i + 2] = seq, head .. messages[i]
  seq = seq + 1
end
for i = #messages, keep + 1, -1 do redis.call('RPUSH', list, messages[i]) end
if keep > 0 then redis.call(unpack(record)) end

-- Who was woken passes the token on while jobs are left.
if ARGV[own + 2] == '1' and not alone and redis.call('EXISTS', unpack(KEYS, 3, 2 + lists)) > 0 then
  for i = 1, lists do
    if redis.call('LLEN', KEYS[i + 2]) > 0 then
      local token = ARGV[2] .. queue_of(i)
      if redis.call('LLEN', token) == 0 then redis.call('LPUSH', token, 1) end
      break
    end
  end
end
return taken
