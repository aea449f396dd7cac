-- Say whether a class has not seen a key within a day, and note it. What is past its day is forgotten after something was
-- to be added: over maxmemory what frees would let the rest of a script pass that is to be refused.
local function is_new(once, class, key, now_ms)
  local member, until_ms = class .. ':' .. key, now_ms + 86400000
  local added = redis.call('ZADD', once, 'NX', until_ms, member)
  redis.call('ZREMRANGEBYSCORE', once, '-inf', now_ms)
  return added == 1 or redis.call('ZADD', once, 'NX', until_ms, member) == 1
end
