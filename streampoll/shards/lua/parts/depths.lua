-- How many entries a group has in hand; or nil, and the error. XINFO, not XPENDING, which lists the consumers too.
local function pending_of(stream, class)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err then
    return string.find(groups.err, 'no such key', 1, true) and 0 or nil, groups
  end
  for _, group in ipairs(groups) do
    if group[2] == class then
      return group[6]
    end
  end
  return 0
end

-- Answer {length, pending, oldest id, delayed, dead, rows} of each class that the arguments name, whose keys (stream,
-- delayed, dead) follow one another from key `first` on; or nil, and the error. Rows are what the stream's entries stand
-- for, about: those among the delayed count with them.
local function depths_from(first, backlog)
  local queues = {}
  for n, class in ipairs(ARGV) do
    local at = first + 3 * (n - 1)
    local stream, delayed, dead = KEYS[at], KEYS[at + 1], KEYS[at + 2]
    local pending, wrong = pending_of(stream, class)
    if not pending then
      return nil, wrong
    end
    local length = redis.call('XLEN', stream)
    local oldest = length > 0 and redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1] or ''
    local more = tonumber(redis.call('HGET', backlog, class .. MORE_ROWS) or 0)
    queues[n] = { length, pending, oldest, redis.call('ZCARD', delayed), redis.call('XLEN', dead), length + more }
  end
  return queues
end
