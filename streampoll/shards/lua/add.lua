-- add: put entries into one class's stream, or among its delayed (ad hoc work, tasks). Not idempotent, but for those with a
-- key: the caller gives each a key of its own.
-- KEYS  1 stream  2 open  3 backlog  4 delayed  5 once
-- ARGV  1 class  2 milliseconds from now (0: now), then per entry: kind, job, slot, expiry, body, key ('' = none)
-- Answers the ids, '' for one whose key was added within a day. What frees memory comes after
-- what adds: over maxmemory it would let the rest pass.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local ids = {}

-- Say whether a key is new; one that is past its day is forgotten first, but only once something was to be added.
local function new(key)
  local member = ARGV[1] .. ':' .. key
  if redis.call('ZADD', KEYS[5], 'NX', now_ms + 86400000, member) == 1 then
    return true
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now_ms)
  return redis.call('ZADD', KEYS[5], 'NX', now_ms + 86400000, member) == 1
end

for i = 3, #ARGV, 6 do
  if ARGV[i + 5] ~= '' and not new(ARGV[i + 5]) then
    ids[#ids + 1] = ''
  else
    if ARGV[2] == '0' then
      ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', 'v', '1', 'k', ARGV[i], 'j', ARGV[i + 1], 's', ARGV[i + 2],
        'x', ARGV[i + 3], 'b', ARGV[i + 4])
    else
      ids[#ids + 1] = now[1] .. string.format('%06d-%06d', now[2], i)
      redis.call('ZADD', KEYS[4], now_ms + tonumber(ARGV[2]),
        cmsgpack.pack({ ids[#ids], ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4] }))
    end
    redis.call('HINCRBY', KEYS[2], ARGV[1] .. ':' .. ARGV[i + 1] .. ':' .. ARGV[i + 2], 1)
    redis.call('HINCRBY', KEYS[3], ARGV[1] .. ':' .. ARGV[i + 1], 1)
  end
end
if #ids > 0 and ARGV[8] ~= '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now_ms)
end
return ids
