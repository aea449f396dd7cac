-- mark: note, before an entry runs in quarantine, that it does; who dies of it leaves the note behind.
-- KEYS  1 stream  2 crashes    ARGV  1 group  2 consumer  3 id  4 '1' if it runs alone
-- Answers 1 if the entry is still ours. Delete first: over maxmemory Redis lets a script add after a write that frees.
-- include held
local held, wrong = held_by(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if wrong then
  return wrong
end
if not held then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] == '1' and ARGV[2] .. ' alone' or ARGV[2])
return 1
