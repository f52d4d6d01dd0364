-- Reads one page of a sorted set of jobs, in its order or backwards, from behind a job on, whether or
-- not that job is there still: whoever turns pages misses no job that stays.
--
-- KEYS  1 sorted set   2 its messages   3 its failures
-- ARGV  1 time and 2 id of the job before the page, '' for the first page   3 length of the page
--       4 1 for backwards, else 0
-- Returns for each job: id, time, value, failure or ''
local backwards = ARGV[4] == '1'
local first = backwards and redis.call('ZCARD', KEYS[1]) or 0
if ARGV[2] ~= '' then
  -- Among jobs of the same time the order is that of their ids.
  first = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1])
  local last = first + redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1])
  while first < last do
    local middle = math.floor((first + last) / 2)
    local id = redis.call('ZRANGE', KEYS[1], middle, middle)[1]
    if id < ARGV[2] or (id == ARGV[2] and not backwards) then
      first = middle + 1
    else
      last = middle
    end
  end
end
local length = tonumber(ARGV[3])
local from, to = first, first + length - 1
if backwards then from, to = math.max(0, first - length), first - 1 end
if to < from then return {} end

local found = redis.call('ZRANGE', KEYS[1], from, to, 'WITHSCORES')
local page = {}
local function add(i)
  page[#page + 1], page[#page + 2] = found[i], found[i + 1]
  page[#page + 1] = redis.call('HGET', KEYS[2], found[i]) or ''
  page[#page + 1] = redis.call('HGET', KEYS[3], found[i]) or ''
end
if backwards then
  for i = #found - 1, 1, -2 do add(i) end
else
  for i = 1, #found, 2 do add(i) end
end
return page
