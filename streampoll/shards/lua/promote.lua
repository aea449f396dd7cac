-- promote: move the delayed entries that are due into the stream.
-- KEYS  1 delayed  2 stream    ARGV  1 how many at the most
-- Answers how many.
-- include entries
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  redis.call('ZREM', KEYS[1], member)
  put(KEYS[2], unpack(cmsgpack.unpack(member), 2, 6))
end
return #due
