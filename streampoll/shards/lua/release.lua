-- release: hand entries back to the group, to be claimed at once. A consumer of no process, 'released', holds them until
-- then: a renewal that is still under way can't take them back, and a second call finds nothing to release.
-- KEYS  1 stream  2 crashes    ARGV  1 group  2 consumer  3 idle time to show in ms (above claim_idle)  4 deliveries to take
-- back (1: this one does not count; 0: it does), then ids
-- Answers the ids that were not ours any more.
-- include held
local gone = {}
for i = 5, #ARGV do
  local id = ARGV[i]
  local held, wrong = held_by(KEYS[1], ARGV[1], ARGV[2], id)
  if wrong then
    return wrong
  end
  if not held then
    gone[#gone + 1] = id
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], 'released', 0, id, 'IDLE', ARGV[3], 'RETRYCOUNT',
      math.max(held[4] - tonumber(ARGV[4]), 0), 'JUSTID')
    redis.call('HDEL', KEYS[2], id)
  end
end
return gone
