-- depths: how much shards hold by class, read at one moment, whatever the number of their jobs and slots.
-- KEYS  per shard and class: stream, delayed, dead
-- ARGV  the classes, in the order of their keys
-- Answers per shard, per class {length, pending, oldest id, delayed, dead}.
local shards = {}
for first = 1, #KEYS, 3 * #ARGV do
  local queues = {}
  for n, class in ipairs(ARGV) do
    local at = first + 3 * (n - 1)
    local stream, delayed, dead = KEYS[at], KEYS[at + 1], KEYS[at + 2]
    local pending = redis.pcall('XPENDING', stream, class)
    if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
      return pending
    end
    local length = redis.call('XLEN', stream)
    local oldest = length > 0 and redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1] or ''
    queues[n] = { length, pending.err and 0 or pending[1], oldest, redis.call('ZCARD', delayed), redis.call('XLEN', dead) }
  end
  shards[#shards + 1] = queues
end
return shards
