-- reconcile: forget what is counted as open in a class of which nothing is left to do: entries whose payload was lost.
-- KEYS  1 open  2 backlog, then per class: stream, delayed    ARGV  the classes, in the order of their keys
-- Answers {field of open, count, …}. Every script counts what it adds and removes, so only a loss leaves anything here; or
-- an older release that ended entries of several rows: of those there are no more than the entries that are left can have.
-- include rows
local ghosts = {}
for n, class in ipairs(ARGV) do
  local left = redis.call('XLEN', KEYS[1 + 2 * n]) + redis.call('ZCARD', KEYS[2 + 2 * n])
  if left == 0 then
    local open = redis.call('HGETALL', KEYS[1])
    for i = 1, #open, 2 do
      if string.sub(open[i], 1, #class + 1) == class .. ':' then
        redis.call('HDEL', KEYS[1], open[i])
        ghosts[#ghosts + 1] = open[i]
        ghosts[#ghosts + 1] = open[i + 1]
      end
    end
    local backlog = redis.call('HKEYS', KEYS[2])
    for _, field in ipairs(backlog) do
      if string.sub(field, 1, #class + 1) == class .. ':' then
        redis.call('HDEL', KEYS[2], field)
      end
    end
  elseif tonumber(redis.call('HGET', KEYS[2], class .. MORE_ROWS) or 0) > left * (MOST_ROWS - 1) then
    redis.call('HSET', KEYS[2], class .. MORE_ROWS, left * (MOST_ROWS - 1))
  end
end
return ghosts
