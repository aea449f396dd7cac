-- fence: keep older leaders out of a shard, before a new one reads how far dispatch has come.
-- KEYS  1 epoch    ARGV  1 epoch
-- Answers the epoch stored: a greater one is that of a newer leader.
-- Delete first: over maxmemory Redis lets a script add after a write that frees.
local stored = redis.call('GET', KEYS[1])
if stored and tonumber(stored) > tonumber(ARGV[1]) then
  return stored
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
