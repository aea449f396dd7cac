-- retry: put entries this consumer holds among the delayed, until they are due.
-- KEYS  1 stream  2 delayed  3 crashes
-- ARGV  1 group  2 consumer, then per entry: id, milliseconds from now, kind, job, slot, expiry, body
-- Answers the ids that were not ours any more. What is open stays as it is: the work is still unfinished.
-- include held
-- include entries
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local gone = {}
for i = 3, #ARGV, 7 do
  local id = ARGV[i]
  local held, wrong = held_by(KEYS[1], ARGV[1], ARGV[2], id)
  if wrong then
    return wrong
  end
  if not held then
    gone[#gone + 1] = id
  else
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
    redis.call('HDEL', KEYS[3], id)
    put_off(KEYS[2], now_ms + tonumber(ARGV[i + 1]), id, unpack(ARGV, i + 2, i + 6))
  end
end
return gone
