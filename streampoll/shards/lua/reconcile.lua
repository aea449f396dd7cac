-- reconcile: forget what is counted as open in a class of which nothing is left to do: entries whose payload was lost.
-- KEYS  1 open  2 backlog, then per class: stream, delayed    ARGV  the classes, in the order of their keys
-- Answers {field of open, count, …}. Every script counts what it adds and removes, so only a loss leaves anything here.
local ghosts = {}
for n, class in ipairs(ARGV) do
  if redis.call('XLEN', KEYS[1 + 2 * n]) == 0 and redis.call('ZCARD', KEYS[2 + 2 * n]) == 0 then
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
  end
end
return ghosts
