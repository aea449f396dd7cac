-- briefs: the beginnings of what workers publish, which say how they are.
-- KEYS  a worker's figures, …    ARGV  1 how many bytes of each
-- Answers the bytes of each; '' where there are no figures. It may be asked by a user that may only GET.
local found = {}
for n, key in ipairs(KEYS) do
  found[n] = string.sub(redis.call('GET', key) or '', 1, tonumber(ARGV[1]))
end
return found
