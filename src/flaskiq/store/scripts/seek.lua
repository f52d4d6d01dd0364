-- Looks for texts in a stretch of a list.
--
-- KEYS  1 list
-- ARGV  1 first place, from 0   2 last place   3... texts
-- Returns {number of elements looked at, elements that have one of the texts}
local stretch = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
local found = {}
for _, element in ipairs(stretch) do
  for i = 3, #ARGV do
    if string.find(element, ARGV[i], 1, true) then
      found[#found + 1] = element
      break
    end
  end
end
return {#stretch, found}
