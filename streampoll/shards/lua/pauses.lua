-- pauses: say what is paused, in the place of what was said before.
-- KEYS  1 paused    ARGV  field, value of each
-- Answers how many.
redis.call('DEL', KEYS[1])
for i = 1, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
return #ARGV / 2
