-- Looks for a text in what processes have in flight.
--
-- KEYS  in-flight hashes
-- ARGV  1 text
-- Returns for each job that has the text: place of its hash from 1, field, value
local found = {}
for i, key in ipairs(KEYS) do
  local all = redis.call('HGETALL', key)
  for j = 2, #all, 2 do
    if string.find(all[j], ARGV[1], 1, true) then
      found[#found + 1], found[#found + 2], found[#found + 3] = i, all[j - 1], all[j]
    end
  end
end
return found
