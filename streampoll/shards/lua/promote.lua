-- promote: move the delayed entries that are due into the stream.
-- KEYS  1 delayed  2 stream    ARGV  1 how many at the most
-- Answers how many.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  local _, kind, job, slot, expiry, body = unpack(cmsgpack.unpack(member))
  redis.call('ZREM', KEYS[1], member)
  redis.call('XADD', KEYS[2], '*', 'v', '1', 'k', kind, 'j', job, 's', slot, 'x', expiry, 'b', body)
end
return #due
