-- adopt: find entries that were delivered and that nobody holds, which nobody would ever get again: a consumer was deleted
-- by hand, with what it held. They go to the consumer 'released', and the next sweep claims them.
-- KEYS  1 stream    ARGV  1 group  2 least age in ms  3 how many of the oldest to look at
-- Answers how many.
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local now = redis.call('TIME')
local born = now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(ARGV[2])
local oldest = redis.pcall('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if oldest.err or #oldest == 0 or parts(oldest[1][1]) > born then
  return 0
end
local read_ms, read_seq = 0, 0
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local said = {}
  for n = 1, #group, 2 do
    said[group[n]] = group[n + 1]
  end
  if said['name'] == ARGV[1] then
    read_ms, read_seq = parts(said['last-delivered-id'])
  end
end
local adopted = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3])) do
  local ms, seq = parts(entry[1])
  if ms > born or ms > read_ms or (ms == read_ms and seq > read_seq) then
    break
  end
  if #redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1) == 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], 'released', 0, entry[1], 'IDLE', ARGV[2], 'RETRYCOUNT', 1, 'FORCE', 'JUSTID')
    adopted = adopted + 1
  end
end
return adopted
