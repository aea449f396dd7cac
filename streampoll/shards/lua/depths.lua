-- depths: how much one shard holds by class, read at one moment, whatever the number of its jobs and slots.
-- KEYS  per class: stream, delayed, dead
-- ARGV  the classes, in the order of their keys
-- Answers per class {length, pending, oldest id, delayed, dead}.
local queues = {}
for n, class in ipairs(ARGV) do
  local stream, delayed, dead = KEYS[3 * n - 2], KEYS[3 * n - 1], KEYS[3 * n]
  local pending = redis.pcall('XPENDING', stream, class)
  if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
    return pending
  end
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  queues[n] = { redis.call('XLEN', stream), pending.err and 0 or pending[1], oldest and oldest[1] or '',
    redis.call('ZCARD', delayed), redis.call('XLEN', dead) }
end
return queues
