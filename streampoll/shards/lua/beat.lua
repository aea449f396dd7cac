-- beat: note that a worker lives, and answer who else does.
-- KEYS  1 workers    ARGV  1 id ('' = only look)  2 its classes, comma-separated ('' = it leaves)
-- Answers {TIME in ms, {id, 'beat classes', …}}; who has been silent for a minute is left out, and forgotten by those
-- who beat (who only looks may be a user that may not write).
-- Delete first: over maxmemory Redis lets a script add after a write that frees. A beat refused would leave the results
-- without a home, and it is their readers who make room.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
if ARGV[1] ~= '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  if ARGV[2] ~= '' then
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now_ms, ARGV[2]))
  end
end
local all, alive = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '^%d+')) < now_ms - 60000 then
    if ARGV[1] ~= '' then
      redis.call('HDEL', KEYS[1], all[i])
    end
  else
    alive[#alive + 1] = all[i]
    alive[#alive + 1] = all[i + 1]
  end
end
return { now_ms, alive }
