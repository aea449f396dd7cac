-- finish: acknowledge and delete the entries this consumer still holds, then add what they emit and bury the dead.
-- KEYS  1 stream  2 open  3 backlog  4 crashes  5 dead  6.. the streams that emits name by their number
--       last but one: the stream of outputs, and its positions: what is added there (class 'outputs', expiry = how many
--       are kept) is nobody's work, so it is numbered and bounded, and not counted as open
-- ARGV  1 group (= class)  2 consumer, then per entry:
--       id, job, slot, cause ('' = done; else to the dead letters), number of emits,
--       and per emit: number of KEYS, class, kind, job, slot, expiry, body
-- Answers the ids that were not ours any more, and those named a second time; nothing of theirs is emitted.
-- Acknowledge first: over maxmemory Redis refuses a script whose first write adds, and lets it add after one that frees.
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local gone, ours, seen, dead = {}, {}, {}, {}
local count, slots, jobs = 0, {}, {}

local function change(class, job, slot, by)
  local field = class .. ':' .. job
  jobs[field] = (jobs[field] or 0) + by
  field = field .. ':' .. slot
  slots[field] = (slots[field] or 0) + by
end

local emits = {}
local i = 3
while i <= #ARGV do
  local id, job, slot, cause, n = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
  local held = redis.pcall('XPENDING', stream, group, id, id, 1, consumer)
  if held.err and not string.find(held.err, 'NOGROUP', 1, true) then
    return held -- a user that may not ask holds its entries all the same
  end
  if held.err or #held == 0 or seen[id] then
    gone[#gone + 1] = id
  else
    seen[id] = true
    count = count + 1
    ours[count] = id
    change(group, job, slot, -1)
    if cause ~= '' then
      dead[#dead + 1] = { id, cause, held[1][4], redis.call('XRANGE', stream, id, id)[1] }
    end
    for e = 0, n - 1 do
      emits[#emits + 1] = i + 5 + 7 * e
    end
  end
  i = i + 5 + 7 * n
end

for first = 1, count, 1000 do
  local last = math.min(first + 999, count)
  redis.call('XACK', stream, group, unpack(ours, first, last))
  redis.call('XDEL', stream, unpack(ours, first, last))
end
if count > 0 and redis.call('EXISTS', KEYS[4]) == 1 then
  for _, id in ipairs(ours) do
    redis.call('HDEL', KEYS[4], id)
  end
end
for _, letter in ipairs(dead) do
  local fields = letter[4] and letter[4][2] or {}
  redis.call('XADD', KEYS[5], '*', 'id', letter[1], 'cause', letter[2], 'delivery', letter[3],
    unpack(fields, 1, math.min(#fields, 200))) -- ours have 12; unpack fails near 8,000, and it is too late to fail here
end
for _, e in ipairs(emits) do
  if ARGV[e + 1] == 'outputs' then
    redis.call('XADD', KEYS[#KEYS - 1], 'MAXLEN', '~', ARGV[e + 5], '*', 'v', '1', 'k', ARGV[e + 2], 'j', ARGV[e + 3],
      's', ARGV[e + 4], 'x', '0', 'b', ARGV[e + 6], 'n', redis.call('HINCRBY', KEYS[#KEYS], '#', 1))
  else
    redis.call('XADD', KEYS[tonumber(ARGV[e])], '*', 'v', '1', 'k', ARGV[e + 2], 'j', ARGV[e + 3], 's', ARGV[e + 4],
      'x', ARGV[e + 5], 'b', ARGV[e + 6])
    change(ARGV[e + 1], ARGV[e + 3], ARGV[e + 4], 1)
  end
end

local function apply(key, changes)
  for field, by in pairs(changes) do
    if by ~= 0 and redis.call('HINCRBY', key, field, by) <= 0 then
      redis.call('HDEL', key, field)
    end
  end
end
apply(KEYS[2], slots)
apply(KEYS[3], jobs)
return gone
