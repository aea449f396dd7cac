-- figures: what one shard holds, read at one moment.
-- KEYS  1 open  2 backlog  3 dispatched, then per class: stream, delayed, dead
-- ARGV  the classes, in the order of their keys
-- Answers {open, backlog, dispatched, {per class: length, pending, oldest id, delayed, dead, rows}}.
-- include rows
-- include depths
local queues, wrong = depths_from(4, KEYS[2])
if wrong then
  return wrong
end
return { redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]), queues }
