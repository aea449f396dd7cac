-- purge: delete dead letters for good.
-- KEYS  1 dead    ARGV  letters
-- Answers how many there were.
local count = 0
for first = 1, #ARGV, 1000 do
  count = count + redis.call('XDEL', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return count
