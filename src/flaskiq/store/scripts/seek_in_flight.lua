-- Looks for texts in what processes have in flight.
--
-- KEYS  in-flight hashes
-- ARGV  texts
-- Returns for each job that has one of the texts: place of its hash from 1, field, value
local found = {}
for i, key in ipairs(KEYS) do
  local all = redis.call('HGETALL', key)
  for j = 2, #all, 2 do
    for k = 1, #ARGV do
      if string.find(all[j], ARGV[k], 1, true) then
        found[#found + 1], found[#found + 2], found[#found + 3] = i, all[j - 1], all[j]
        break
      end
    end
  end
end
return found
