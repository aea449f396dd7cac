-- depths: how much shards hold by class, read at one moment, whatever the number of their jobs and slots.
-- KEYS  per shard: backlog, then per class: stream, delayed, dead
-- ARGV  the classes, in the order of their keys
-- Answers per shard, per class {length, pending, oldest id, delayed, dead, rows}.
-- include rows
-- include depths
local shards = {}
for first = 1, #KEYS, 1 + 3 * #ARGV do
  local queues, wrong = depths_from(first + 1, KEYS[first])
  if wrong then
    return wrong
  end
  shards[#shards + 1] = queues
end
return shards
