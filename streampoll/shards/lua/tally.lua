-- tally: add to the totals what a process has counted since its last call.
-- KEYS  1 totals  2 number of this process's last batch
-- ARGV  1 number of this batch  2 highest number of the totals that the process has seen, then: field, added, …
-- Answers the totals' number, which goes up with every change. Totals that are behind what somebody has seen are of a
-- Redis that lost its last writes: they begin again at 0, since a counter that falls a little reads as one that fell to
-- 0 and has counted all of it again. The jump keeps others, who have seen less than that, from beginning once more.
local number = tonumber(redis.call('HGET', KEYS[1], '#') or '0')
if redis.call('GET', KEYS[2]) == ARGV[1] then
  return number
end
if number < tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  number = tonumber(ARGV[2]) + 1000000
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', 600000)
redis.call('HSET', KEYS[1], '#', number + 1)
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
return number + 1
