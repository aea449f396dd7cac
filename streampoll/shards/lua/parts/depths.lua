-- Answer {length, pending, oldest id, delayed, dead} of each class that the arguments name, whose keys (stream, delayed,
-- dead) follow one another from key `first` on; or nil, and the error.
local function depths_from(first)
  local queues = {}
  for n, class in ipairs(ARGV) do
    local at = first + 3 * (n - 1)
    local stream, delayed, dead = KEYS[at], KEYS[at + 1], KEYS[at + 2]
    local pending = redis.pcall('XPENDING', stream, class)
    if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then
      return nil, pending
    end
    local length = redis.call('XLEN', stream)
    local oldest = length > 0 and redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1] or ''
    queues[n] = { length, pending.err and 0 or pending[1], oldest, redis.call('ZCARD', delayed), redis.call('XLEN', dead) }
  end
  return queues
end
