-- follow: read the results that follow an output's position, and keep others from sending them, too.
-- KEYS  1 stream of outputs  2 positions
-- ARGV  1 output  2 how many  3 who reads ('' = somebody who only looks)  4 for how many ms they are the reader's
-- Answers {position ('' = none yet), entries, number of the last result added}; no entries while they are another's.
-- A position that is ahead of the stream is of one that Redis lost.
local output, holder = ARGV[1], ARGV[3]
local position = redis.call('HGET', KEYS[2], output)
local added = redis.call('HGET', KEYS[2], '#') or '0'
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
if holder ~= '' then
  local other, until_ms = string.match(redis.call('HGET', KEYS[2], output .. '@') or '', '^(%S+) (%d+)$')
  if other and other ~= holder and tonumber(until_ms) > now_ms then
    return { position or '', {}, added }
  end
end
local id = position and string.match(position, '^%S+')
local entries = redis.call('XRANGE', KEYS[1], id and '(' .. id or '-', '+', 'COUNT', ARGV[2])
if id and #entries == 0 then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if last and last[1] ~= id then
    entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[2])
  end
end
if holder ~= '' and #entries > 0 then
  redis.call('HSET', KEYS[2], output .. '@', holder .. ' ' .. string.format('%.0f', now_ms + ARGV[4]))
end
return { position or '', entries, added }
