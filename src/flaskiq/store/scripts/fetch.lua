-- Acknowledges what a process has finished, takes jobs from the first list that has any, and records
-- them in flight: there is no moment at which a job is only in a process. Safe to repeat with other
-- seqs.
--
-- KEYS  1 in-flight hash of the process   2 set of live processes
--       3... lists of ready jobs, in the order in which they are served
-- ARGV  1 mark of a job that was in flight in a dead process   2 prefix of wake tokens
--       3 number of groups: neighbours of which a fetch takes the same number of jobs at most
--       4... for each list its queue, then for each group how many lists, and how many jobs at most,
--       then credit, first seq, 1 if a wake token led here, and the acknowledged fields
-- Returns {acknowledged fields that were in flight, then for each job: seq, place of its list
--          from 1, message}
local lists, groups = #KEYS - 2, tonumber(ARGV[3])
local own = 4 + lists + 2 * groups
local credit, seq = tonumber(ARGV[own]), tonumber(ARGV[own + 1])
local taken, record = {0}, {'HSET', KEYS[1]}
if own + 3 <= #ARGV then taken[1] = redis.call('HDEL', KEYS[1], unpack(ARGV, own + 3)) end

-- The lists of a group are asked in one command.
local popped, first = nil, 3
for group = 4 + lists, own - 1, 2 do
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
local head = ARGV[place + 3] .. '\0' .. list .. '\0'
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
if ARGV[own + 2] == '1' and not alone then
  for i = 3, #KEYS do
    if redis.call('LLEN', KEYS[i]) > 0 then
      local token = ARGV[2] .. ARGV[i + 1]
      if redis.call('LLEN', token) == 0 then redis.call('LPUSH', token, 1) end
      break
    end
  end
end
return taken
