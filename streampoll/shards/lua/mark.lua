-- mark: note, before an entry runs in quarantine, that it does; who dies of it leaves the note behind.
-- KEYS  1 stream  2 crashes    ARGV  1 group  2 consumer  3 id  4 '1' if it runs alone
-- Answers 1 if the entry is still ours. Delete first: over maxmemory Redis lets a script add after a write that frees.
local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if held.err and not string.find(held.err, 'NOGROUP', 1, true) then
  return held -- a user that may not ask holds its entries all the same
end
if held.err or #held == 0 then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] == '1' and ARGV[2] .. ' alone' or ARGV[2])
return 1
