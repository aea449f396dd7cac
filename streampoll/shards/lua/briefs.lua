-- briefs: the beginnings of what workers publish, which say how they are.
-- KEYS  a worker's figures, …    ARGV  1 how many bytes of each
-- Answers the bytes of each; '' where there are no figures.
local found = {}
for n, key in ipairs(KEYS) do
  found[n] = redis.call('GETRANGE', key, 0, ARGV[1] - 1)
end
return found
