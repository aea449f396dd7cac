-- depths: how much shards hold by class, read at one moment, whatever the number of their jobs and slots.
-- KEYS  per shard and class: stream, delayed, dead
-- ARGV  the classes, in the order of their keys
-- Answers per shard, per class {length, pending, oldest id, delayed, dead}.
-- include depths
local shards = {}
for first = 1, #KEYS, 3 * #ARGV do
  local queues, wrong = depths_from(first)
  if wrong then
    return wrong
  end
  shards[#shards + 1] = queues
end
return shards
