-- dispatch: add one part of a tick of a job, with its ledger entry, once and only by the leader.
-- KEYS  1 polling stream  2 results stream  3 open  4 backlog  5 dispatched  6 epoch  7 plans
-- ARGV  1 epoch  2 mark of this part  3 mark expected before it ('' if none)  4 job  5 tick  6 tick_to
--       7 shard  8 part  9 plan  10 hash sum  11 devices of the job in the shard  12 high water of results
--       13 cause to skip ('' = none)  14 polls planned in this part  15 msgpack: expiry, body of each (if no cause)
-- Answers {code, stored mark or epoch}: ok, skip, done, fenced, gap, early.
-- Everything is read and judged before the first write: Redis does not roll a script back.
-- include entries
-- include rows
local stored_epoch = redis.call('GET', KEYS[6])
if stored_epoch and tonumber(stored_epoch) > tonumber(ARGV[1]) then
  return {'fenced', stored_epoch}
end
local job, tick = ARGV[4], ARGV[5]
local stored = redis.call('HGET', KEYS[5], job) or ''
if stored ~= ARGV[3] then
  if stored ~= '' and tonumber(stored) >= tonumber(ARGV[2]) then
    return {'done', stored}
  end
  return {'gap', stored}
end
if tonumber(tick) > tonumber(redis.call('TIME')[1]) + 2 then
  return {'early', stored}
end

local planned, cause = tonumber(ARGV[14]), ARGV[13]
if cause == '' then
  if tonumber(redis.call('HGET', KEYS[4], 'polling:' .. job) or 0) > tonumber(ARGV[11]) then
    cause = 'backlog'
  elseif redis.call('XLEN', KEYS[2]) + (redis.call('HGET', KEYS[4], 'results' .. MORE_ROWS) or 0) > tonumber(ARGV[12]) then
    cause = 'results'
  end
end
local sent = cause == '' and planned or 0
local polls = sent > 0 and cmsgpack.unpack(ARGV[15])

redis.call('SET', KEYS[6], ARGV[1])
local ledger = cmsgpack.pack({
  tonumber(ARGV[7]), tonumber(ARGV[6]), tonumber(ARGV[8]), ARGV[9], sent, sent > 0 and ARGV[10] or '0',
  planned - sent, cause })
put(KEYS[2], 'ledger', job, tick, '0', ledger)
redis.call('HINCRBY', KEYS[3], 'results:' .. job .. ':' .. tick, 1)
redis.call('HINCRBY', KEYS[4], 'results:' .. job, 1)
if sent > 0 then
  local expiry, text -- most often all have the same, and Redis would print the number for each of them
  for i = 1, 2 * planned, 2 do
    if polls[i] ~= expiry then
      expiry, text = polls[i], string.format('%.0f', polls[i])
    end
    put(KEYS[1], 'poll', job, tick, text, polls[i + 1])
  end
  redis.call('HINCRBY', KEYS[3], 'polling:' .. job .. ':' .. tick, sent)
  redis.call('HINCRBY', KEYS[4], 'polling:' .. job, sent)
end
redis.call('HSET', KEYS[5], job, ARGV[2])
redis.call('HSET', KEYS[7], job, ARGV[9])
return {cause == '' and 'ok' or 'skip', cause}
