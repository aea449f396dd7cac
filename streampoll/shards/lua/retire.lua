-- retire: delete consumers that are dead for good, but never one with entries pending (DELCONSUMER drops those silently).
-- KEYS  1 stream    ARGV  1 group, then the consumers that live
-- Answers how many were deleted.
local live, deleted = {}, 0
for i = 2, #ARGV do
  live[ARGV[i]] = true
end
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  local none = string.find(consumers.err, 'NOGROUP', 1, true) or string.find(consumers.err, 'no such key', 1, true)
  return none and 0 or consumers
end
for _, consumer in ipairs(consumers) do
  if consumer[4] == 0 and not live[consumer[2]] and consumer[6] > 60000 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer[2])
    deleted = deleted + 1
  end
end
return deleted
