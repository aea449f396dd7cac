-- add: put entries into one class's stream, or among its delayed (ad hoc work, tasks). Not idempotent, but for those with a
-- key: the caller gives each a key of its own.
-- KEYS  1 stream  2 open  3 backlog  4 delayed  5 once
-- ARGV  1 class  2 milliseconds from now (0: now), then per entry: kind, job, slot, expiry, body, key ('' = none)
-- Answers the ids, '' for one whose key was added within a day.
-- include entries
-- include once
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local ids = {}

for i = 3, #ARGV, 6 do
  if ARGV[i + 5] ~= '' and not is_new(KEYS[5], ARGV[1], ARGV[i + 5], now_ms) then
    ids[#ids + 1] = ''
  else
    if ARGV[2] == '0' then
      ids[#ids + 1] = put(KEYS[1], unpack(ARGV, i, i + 4))
    else
      ids[#ids + 1] = now[1] .. string.format('%06d-%06d', now[2], i)
      put_off(KEYS[4], now_ms + tonumber(ARGV[2]), ids[#ids], unpack(ARGV, i, i + 4))
    end
    redis.call('HINCRBY', KEYS[2], ARGV[1] .. ':' .. ARGV[i + 1] .. ':' .. ARGV[i + 2], 1)
    redis.call('HINCRBY', KEYS[3], ARGV[1] .. ':' .. ARGV[i + 1], 1)
  end
end
return ids
