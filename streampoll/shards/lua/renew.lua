-- renew: reset the idle time of the entries this consumer still holds.
-- KEYS  1 stream    ARGV  1 group  2 consumer, then ids
-- Answers the ids that are lost. A bare XCLAIM would take work back from the consumer that claimed it meanwhile.
-- include held
local lost, kept = {}, {}
for i = 3, #ARGV do
  local held, wrong = held_by(KEYS[1], ARGV[1], ARGV[2], ARGV[i])
  if wrong then
    return wrong
  end
  if not held then
    lost[#lost + 1] = ARGV[i]
  else
    kept[#kept + 1] = ARGV[i]
  end
end
if #kept > 0 then
  kept[#kept + 1] = 'JUSTID'
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(kept))
end
return lost
