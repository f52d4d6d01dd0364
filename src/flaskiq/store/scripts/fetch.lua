-- Acknowledges what a process has finished, takes jobs from the first list that has any, and records
-- them in flight: there is no moment at which a job is only in a process. Safe to repeat with other
-- seqs.
--
-- KEYS  1 in-flight hash of the process   2 set of live processes
--       3... lists of ready jobs, in the order in which they are served
-- ARGV  1 credit   2 first seq   3 mark of a job that was in flight in a dead process
--       4 prefix of wake tokens   5 1 if a wake token led here   6 number of acknowledged fields
--       7... these fields   then for each list its queue, and how many of its jobs at most
-- Returns {acknowledged fields that were in flight, then for each job: seq, place of its list
--          from 1, message}
local seq, acks = tonumber(ARGV[2]), tonumber(ARGV[6])
local taken, record = {0}, {'HSET', KEYS[1]}
if acks > 0 then taken[1] = redis.call('HDEL', KEYS[1], unpack(ARGV, 7, 6 + acks)) end

local function queue_of(i) return ARGV[2 * i + acks + 1] end
local function limit_of(i) return ARGV[2 * i + acks + 2] end

-- Neighbours with the same limit are asked in one command.
local place, popped, first = {}, nil, 3
while not popped and first <= #KEYS do
  local last, pop = first, {'LMPOP', 0}
  while last <= #KEYS and limit_of(last) == limit_of(first) do
    pop[#pop + 1], place[KEYS[last]], last = KEYS[last], last, last + 1
  end
  pop[2] = last - first
  pop[#pop + 1], pop[#pop + 2] = 'RIGHT', 'COUNT'
  pop[#pop + 1] = math.min(tonumber(ARGV[1]), tonumber(limit_of(first)))
  popped, first = redis.call(unpack(pop)), last
end
if not popped then return taken end

local list, messages = popped[1], popped[2]
local head, keep = queue_of(place[list]) .. '\0' .. list .. '\0', #messages
-- Of a queue that several processes serve, a batch is an equal share.
if keep > 1 then
  local all = keep + redis.call('LLEN', list)
  keep = math.min(keep, math.ceil(all / math.max(1, redis.call('SCARD', KEYS[2]))))
end
-- A job whose process died before runs alone, so that its neighbours do not die with it.
local alone = false
for i = 1, keep do
  if string.find(messages[i], ARGV[3], 1, true) then
    local company = i > 1 or redis.call('HLEN', KEYS[1]) > 0
    alone, keep = true, company and i - 1 or 1
    break
  end
end
for i = 1, keep do
  taken[3 * i - 1], taken[3 * i], taken[3 * i + 1] = seq, place[list] - 2, messages[i]
  record[2 * i + 1], record[2 * i + 2] = seq, head .. messages[i]
  seq = seq + 1
end
for i = #messages, keep + 1, -1 do redis.call('RPUSH', list, messages[i]) end
if keep > 0 then redis.call(unpack(record)) end

-- Who was woken passes the token on while jobs are left.
if ARGV[5] == '1' and not alone then
  for i = 3, #KEYS do
    if redis.call('LLEN', KEYS[i]) > 0 then
      local token = ARGV[4] .. queue_of(i)
      if redis.call('LLEN', token) == 0 then redis.call('LPUSH', token, 1) end
      break
    end
  end
end
return taken
