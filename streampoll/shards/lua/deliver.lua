-- deliver: note what an output has, and delete what every output has.
-- KEYS  1 stream of outputs  2 positions
-- ARGV  1 output  2 its position before ('' = none)  3 id  4 number of the last result that it has now,
--       then the names of all outputs
-- Answers 1 if the position was what the caller thinks; else somebody else has delivered meanwhile, and it stays.
if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
redis.call('HDEL', KEYS[2], ARGV[1] .. '@') -- whoever comes first reads on
local ms, seq
for i = 5, #ARGV do
  local position = redis.call('HGET', KEYS[2], ARGV[i])
  if not position then
    return 1
  end
  local own_ms, own_seq = string.match(position, '^(%d+)-(%d+) ')
  own_ms, own_seq = tonumber(own_ms), tonumber(own_seq)
  if not ms or own_ms < ms or own_ms == ms and own_seq < seq then
    ms, seq = own_ms, own_seq
  end
end
-- MINID keeps what it names, so it names the id that would come next
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-%.0f', ms, seq + 1))
return 1
