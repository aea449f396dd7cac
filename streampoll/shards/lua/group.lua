-- group: make a consumer group where it is missing, at the stream's beginning, and the stream with it.
-- KEYS  1 stream    ARGV  1 group
-- XACK first: it does nothing, but after a write that frees Redis over maxmemory lets a script add. Without a group
-- nobody could read what fills it.
redis.call('XACK', KEYS[1], ARGV[1], '0-0')
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
return 1
