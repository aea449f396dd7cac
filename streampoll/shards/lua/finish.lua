-- finish: acknowledge and delete the entries this consumer still holds, then bury the dead, write records of state and add
-- what is emitted. An entry whose records have changed since they were read is handed back: nothing of it happens.
-- Results of one job and slot become one entry of several rows (shards/rows.py), and so do rates, and what is to be
-- analysed; what is not joined keeps its place among its class, and what is to be analysed is in order of what it is of.
-- KEYS  1 stream  2 open  3 backlog  4 crashes  5 dead  6.. those that emits and writes name by their number
--       What is emitted to the stream of outputs (class 'outputs', expiry = how many are kept; its positions are the next
--       key) is nobody's work, so it is numbered and bounded, and not counted as open.
-- ARGV  1 group (= class)  2 consumer, then per entry:
--       id, job, slot, cause ('' = done; else to the dead letters), number of emits (or 'emits+writes+rows', where it has
--       records to write, or several rows),
--       and per emit: number of KEYS (or 'stream,delayed,ms,once,key'), class, kind, job, slot, expiry, body,
--       and per write: number of KEYS, name, version as read ('' = none), record ('' = delete it)
-- Answers the ids that were not ours any more, those named a second time, and those handed back.
-- Acknowledge first: over maxmemory Redis refuses a script whose first write adds, and lets it add after one that frees.
-- include held
-- include entries
-- include once
-- include rows
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local gone, ours, seen, dead, stale = {}, {}, {}, {}, {}
local count, slots, jobs = 0, {}, {}

local function change(class, job, slot, by)
  local field = class .. ':' .. job
  jobs[field] = (jobs[field] or 0) + by
  field = field .. ':' .. slot
  slots[field] = (slots[field] or 0) + by
end

local emits, writes, versions = {}, {}, {}

-- Say whether the `n` writes from argument `first` on hold, after those of the entries before; then they will be done.
local function hold(first, n)
  local last = first + 4 * (n - 1)
  for w = first, last, 4 do
    local key, name = KEYS[tonumber(ARGV[w])], ARGV[w + 1]
    local version = versions[key .. ' ' .. name] or string.sub(redis.call('HGET', key, name) or '', 1, 8)
    if version ~= ARGV[w + 2] then
      return false
    end
  end
  for w = first, last, 4 do
    versions[KEYS[tonumber(ARGV[w])] .. ' ' .. ARGV[w + 1]] = string.sub(ARGV[w + 3], 1, 8)
    writes[#writes + 1] = w
  end
  return true
end

-- Count rows beyond the first of an entry that comes or goes.
local function change_rows(class, by)
  local field = class .. MORE_ROWS
  jobs[field] = (jobs[field] or 0) + by
end

local i = 3
while i <= #ARGV do
  local id, job, slot, cause, n, m = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]), 0
  local rows
  if not n then
    n, m, rows = string.match(ARGV[i + 4], '(%d+)%+(%d+)%+(%d+)')
    n, m = tonumber(n), tonumber(m)
  end
  local held, wrong = held_by(stream, group, consumer, id)
  if wrong then
    return wrong
  end
  if not held or seen[id] then
    gone[#gone + 1] = id
  elseif m ~= 0 and not hold(i + 5 + 7 * n, m) then
    seen[id] = true
    gone[#gone + 1] = id
    stale[#stale + 1] = { id, held[4] }
  else
    seen[id] = true
    count = count + 1
    ours[count] = id
    change(group, job, slot, -1)
    if rows then
      change_rows(group, 1 - rows)
    end
    if cause ~= '' then
      dead[#dead + 1] = { id, cause, held[4], redis.call('XRANGE', stream, id, id)[1] }
    end
    for e = 0, n - 1 do
      emits[#emits + 1] = i + 5 + 7 * e
    end
  end
  i = i + 5 + 7 * n + 4 * m
end

for first = 1, count, 1000 do
  local last = math.min(first + 999, count)
  redis.call('XACK', stream, group, unpack(ours, first, last))
  redis.call('XDEL', stream, unpack(ours, first, last))
end
for _, one in ipairs(stale) do -- as release does: to be claimed at once, and this delivery does not count
  redis.call('XCLAIM', stream, group, 'released', 0, one[1], 'IDLE', 86400000, 'RETRYCOUNT', math.max(one[2] - 1, 0),
    'JUSTID')
end
if count + #stale > 0 and redis.call('EXISTS', KEYS[4]) == 1 then
  for id in pairs(seen) do
    redis.call('HDEL', KEYS[4], id)
  end
end
for _, letter in ipairs(dead) do
  local fields = letter[4] and letter[4][2] or {}
  redis.call('XADD', KEYS[5], '*', 'id', letter[1], 'cause', letter[2], 'delivery', letter[3],
    unpack(fields, 1, math.min(#fields, 200))) -- ours have 12; unpack fails near 8,000, and it is too late to fail here
end
for _, w in ipairs(writes) do
  local key, name, record = KEYS[tonumber(ARGV[w])], ARGV[w + 1], ARGV[w + 3]
  if record == '' then
    redis.call('HDEL', key, name)
  else
    redis.call('HSET', key, name, record)
  end
end

local now_ms

-- Add an emit among the delayed, or only if its key is new; say whether it was. `to` is 'stream,delayed,ms,once,key'.
local function later(e)
  local to, delayed, ms, once, key = string.match(ARGV[e], '^(%d+),(%d+),(%d+),(%d+),(.*)$')
  if not now_ms then
    local now = redis.call('TIME')
    now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
  end
  if key ~= '' and not is_new(KEYS[tonumber(once)], ARGV[e + 1], key, now_ms) then
    return false
  end
  if ms == '0' then
    put(KEYS[tonumber(to)], unpack(ARGV, e + 2, e + 6))
  else
    local id = ours[1] .. string.format(':%06d', e)
    put_off(KEYS[tonumber(delayed)], now_ms + tonumber(ms), id, unpack(ARGV, e + 2, e + 6))
  end
  return true
end

-- Rows are joined up to so many bytes, since a store holds entries by their number.
local MOST_BYTES, ARRAY = 8192, 0x90
local JOINED = { -- class -> kind of one row -> kind of several
  results = { result = 'results', rates = 'many_rates' }, analysis = { analyze = 'many_analyze' } }
local groups = { results = {}, analysis = {} } -- rows to be joined, by class: {first of them, bytes, body, …}
local newest = { result = {}, rates = {}, analyze = {} } -- the last group of each job and slot, by kind

local function join(e)
  local of_kind, job, body = newest[ARGV[e + 2]], ARGV[e + 3], ARGV[e + 6]
  local of_job = of_kind[job]
  if not of_job or (ARGV[e + 1] == 'analysis' and not of_job[ARGV[e + 4]]) then -- a device's slots keep their order
    of_job = {}
    of_kind[job] = of_job
  end
  local group = of_job[ARGV[e + 4]]
  if not group or #group == 2 + MOST_ROWS or group[2] + #body > MOST_BYTES then
    group = { e, 0 }
    of_job[ARGV[e + 4]] = group
    table.insert(groups[ARGV[e + 1]], group)
  end
  group[2] = group[2] + #body
  group[#group + 1] = body
end

local function add_joined(class)
  for _, group in ipairs(groups[class]) do
    local e, rows = group[1], #group - 2
    local job, slot = ARGV[e + 3], ARGV[e + 4]
    if rows == 1 then
      put(KEYS[tonumber(ARGV[e])], ARGV[e + 2], job, slot, '0', group[3])
    else
      local body = string.char(ARRAY + rows) .. table.concat(group, '', 3)
      put(KEYS[tonumber(ARGV[e])], JOINED[class][ARGV[e + 2]], job, slot, '0', body)
      change_rows(class, rows - 1)
    end
    change(class, job, slot, 1)
  end
  groups[class] = {}
  for kind in pairs(JOINED[class]) do
    newest[kind] = {}
  end
end

local function emit(e)
  local to, added = tonumber(ARGV[e]), true
  if ARGV[e + 1] == 'outputs' then
    redis.call('XADD', KEYS[to], 'MAXLEN', '~', ARGV[e + 5], '*', 'v', '1', 'k', ARGV[e + 2], 'j', ARGV[e + 3],
      's', ARGV[e + 4], 'x', '0', 'b', ARGV[e + 6], 'n', redis.call('HINCRBY', KEYS[to + 1], '#', 1))
    added = false
  elseif to then
    put(KEYS[to], unpack(ARGV, e + 2, e + 6))
  else
    added = later(e)
  end
  if added then
    change(ARGV[e + 1], ARGV[e + 3], ARGV[e + 4], 1)
  end
end

for _, e in ipairs(emits) do
  local kinds = JOINED[ARGV[e + 1]]
  if kinds and kinds[ARGV[e + 2]] and ARGV[e + 5] == '0' and tonumber(ARGV[e]) then
    join(e)
  else
    if kinds then
      add_joined(ARGV[e + 1])
    end
    emit(e)
  end
end
add_joined('results')
add_joined('analysis')

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
