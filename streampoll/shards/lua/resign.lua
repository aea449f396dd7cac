-- resign: give the leader's lease up, if it is ours.
-- KEYS  1 leader    ARGV  1 id
local value = redis.call('GET', KEYS[1])
if value and string.match(value, '^(%S+) ') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
