-- sweep: claim entries that were idle too long.
-- KEYS  1 stream  2 crashes    ARGV  1 group  2 consumer  3 least idle time in ms  4 cursor  5 how many at the most
-- Answers {next cursor, {{id, deliveries, died (0 not in quarantine, 1 there, 2 alone), fields}, …}, payloads that were lost}.
-- XAUTOCLAIM looks at ten entries for each that it may claim, which can be fewer than are in hand: then it is asked again,
-- since a cursor that never comes round would leave what is behind it for ever.
-- Redis 6.2 answers nil for an entry whose payload is gone and keeps it pending (we clear it); 7.0 clears and lists it.
local most, looks = tonumber(ARGV[5]), 1000
local cursor, entries, lost, found, unlisted = ARGV[4], {}, 0, 0, false
repeat
  local left = most - found
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], cursor, 'COUNT', left)
  cursor, looks = claimed[1], looks - 10 * left
  for n = 1, left do
    local entry = claimed[2][n]
    if entry and entry[2] then
      local held = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1, ARGV[2])
      local note = redis.call('HGET', KEYS[2], entry[1])
      local died = note and (string.find(note, ' alone', 1, true) and 2 or 1) or 0
      entries[#entries + 1] = { entry[1], held[1] and held[1][4] or 1, died, entry[2] }
    elseif entry ~= nil then
      unlisted = true
    end
  end
  local gone = claimed[3] and #claimed[3] or 0
  lost, found = lost + gone, found + gone + #claimed[2]
until found >= most or cursor == '0-0' or looks <= 0
if unlisted then
  local mine = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])
  for _, held in ipairs(mine) do
    if #redis.call('XRANGE', KEYS[1], held[1], held[1]) == 0 then
      redis.call('XACK', KEYS[1], ARGV[1], held[1])
      lost = lost + 1
    end
  end
end
return { cursor, entries, lost }
