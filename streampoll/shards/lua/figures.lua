-- figures: what one shard holds, read at one moment.
-- KEYS  1 open  2 backlog  3 dispatched, then per class: stream, delayed, dead
-- ARGV  the classes, in the order of their keys
-- Answers {open, backlog, dispatched, {per class: length, pending, oldest id, delayed, dead}}.
local queues = {}
for n, class in ipairs(ARGV) do
  local stream, delayed, dead = KEYS[1 + 3 * n], KEYS[2 + 3 * n], KEYS[3 + 3 * n]
  local pending = redis.pcall('XPENDING', stream, class)
  if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
    return pending
  end
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  queues[n] = { redis.call('XLEN', stream), pending.err and 0 or pending[1], oldest and oldest[1] or '',
    redis.call('ZCARD', delayed), redis.call('XLEN', dead) }
end
return { redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]), queues }
