-- remember: keep records of devices that are out of the ordinary, and forget those that are ordinary again.
-- KEYS  1 devices    ARGV  1 most records, then per device: name, record ('' = forget it)
-- Answers how many were not kept because there are too many already. Forget first: it makes room.
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
local refused, most = 0, tonumber(ARGV[1])
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] ~= '' and redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) == 1
      and redis.call('HLEN', KEYS[1]) > most then
    redis.call('HDEL', KEYS[1], ARGV[i])
    refused = refused + 1
  end
end
return refused
