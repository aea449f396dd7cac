-- renew: reset the idle time of the entries this consumer still holds.
-- KEYS  1 stream    ARGV  1 group  2 consumer, then ids
-- Answers the ids that are lost. A bare XCLAIM would take work back from the consumer that claimed it meanwhile.
local lost, held = {}, {}
for i = 3, #ARGV do
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
    return pending -- a user that may not ask holds its entries all the same
  end
  if pending.err or #pending == 0 then
    lost[#lost + 1] = ARGV[i]
  else
    held[#held + 1] = ARGV[i]
  end
end
if #held > 0 then
  held[#held + 1] = 'JUSTID'
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(held))
end
return lost
