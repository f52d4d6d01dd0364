-- Reads one page of a sorted set of jobs, in its order, from behind a job on, whether or not that
-- job is there still: whoever turns pages misses no job that stays.
--
-- KEYS  1 sorted set   2 its messages   3 its failures
-- ARGV  1 time and 2 id of the job before the page, '' for the first page   3 length of the page
-- Returns for each job: id, time, value, failure or ''
local first = 0
if ARGV[2] ~= '' then
  -- Among jobs of the same time the order is that of their ids.
  first = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1])
  local last = first + redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1])
  while first < last do
    local middle = math.floor((first + last) / 2)
    if redis.call('ZRANGE', KEYS[1], middle, middle)[1] <= ARGV[2] then
      first = middle + 1
    else
      last = middle
    end
  end
end
local found = redis.call('ZRANGE', KEYS[1], first, first + ARGV[3] - 1, 'WITHSCORES')
local page = {}
for i = 1, #found, 2 do
  page[#page + 1], page[#page + 2] = found[i], found[i + 1]
  page[#page + 1] = redis.call('HGET', KEYS[2], found[i]) or ''
  page[#page + 1] = redis.call('HGET', KEYS[3], found[i]) or ''
end
return page
