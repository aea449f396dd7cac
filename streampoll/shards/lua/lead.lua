-- lead: take or renew the leader's lease.
-- KEYS  1 leader    ARGV  1 id  2 lease in ms  3 least epoch (highest of any shard + 1)  4 '1' to take a newer epoch
-- Answers {epoch held (0: somebody else leads), TIME in ms, holder}.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local value = redis.call('GET', KEYS[1])
local holder, epoch
if value then
  holder, epoch = string.match(value, '^(%S+) (%d+)$')
end
if holder and holder ~= ARGV[1] then
  return { '0', now_ms, holder }
end
if not holder or ARGV[4] == '1' then
  epoch = string.format('%.0f', math.max(now_ms, tonumber(ARGV[3])))
end
redis.call('DEL', KEYS[1]) -- first, so that a leader can stay one over maxmemory too: SET alone would be refused
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. epoch, 'PX', ARGV[2])
return { epoch, now_ms, ARGV[1] }
