-- sweep: claim entries that were idle too long.
-- KEYS  1 stream  2 crashes    ARGV  1 group  2 consumer  3 least idle time in ms  4 cursor  5 how many at the most
-- Answers {next cursor, {{id, deliveries, died (0 not in quarantine, 1 there, 2 alone), fields}, …}, payloads that were lost}.
-- Redis 6.2 answers nil for an entry whose payload is gone and keeps it pending (we clear it); 7.0 clears and lists it.
local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local lost = claimed[3] and #claimed[3] or 0
local entries = {}
for n = 1, tonumber(ARGV[5]) do
  local entry = claimed[2][n]
  if entry and entry[2] then
    local held = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1, ARGV[2])
    local note = redis.call('HGET', KEYS[2], entry[1])
    local died = note and (string.find(note, ' alone', 1, true) and 2 or 1) or 0
    entries[#entries + 1] = { entry[1], held[1] and held[1][4] or 1, died, entry[2] }
  end
end
if not claimed[3] and #claimed[2] > #entries then
  local mine = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])
  for _, held in ipairs(mine) do
    if #redis.call('XRANGE', KEYS[1], held[1], held[1]) == 0 then
      redis.call('XACK', KEYS[1], ARGV[1], held[1])
      lost = lost + 1
    end
  end
end
return { claimed[1], entries, lost }
