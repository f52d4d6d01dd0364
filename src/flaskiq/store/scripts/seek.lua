-- Looks for a text in a stretch of a list.
--
-- KEYS  1 list
-- ARGV  1 first place, from 0   2 last place   3 text
-- Returns {number of elements looked at, elements that have the text}
local stretch = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
local found = {}
for _, element in ipairs(stretch) do
  if string.find(element, ARGV[3], 1, true) then found[#found + 1] = element end
end
return {#stretch, found}
