-- add: put entries into one class's stream (ad hoc work, tasks). Not idempotent: the caller gives each a key of its own.
-- KEYS  1 stream  2 open  3 backlog
-- ARGV  1 class, then per entry: kind, job, slot, expiry, body
-- Answers the ids.
local ids = {}
for i = 2, #ARGV, 5 do
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', 'v', '1', 'k', ARGV[i], 'j', ARGV[i + 1], 's', ARGV[i + 2],
    'x', ARGV[i + 3], 'b', ARGV[i + 4])
  redis.call('HINCRBY', KEYS[2], ARGV[1] .. ':' .. ARGV[i + 1] .. ':' .. ARGV[i + 2], 1)
  redis.call('HINCRBY', KEYS[3], ARGV[1] .. ':' .. ARGV[i + 1], 1)
end
return ids
