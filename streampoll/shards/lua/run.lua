-- run: add polls that somebody asked for now, with their ledger entry. A job is run once in two seconds at the most, so
-- that no two polls of a device have the same slot: an ad hoc slot is this second, or the one before.
-- KEYS  1 polling stream  2 results stream  3 open  4 backlog  5 ran
-- ARGV  1 job  2 this second  3 1 if this is the first call of a run  4 slot  5 expiry  6 body of the ledger entry
--       7 msgpack: the bodies
-- Answers how many were added: 0 if the job was run just now.
-- include entries
local job, slot = ARGV[1], ARGV[4]
if ARGV[3] == '1' then
  local last = tonumber(redis.call('HGET', KEYS[5], job) or 0)
  if last + 2 > tonumber(ARGV[2]) then
    return 0
  end
end
local bodies = cmsgpack.unpack(ARGV[7])
redis.call('HSET', KEYS[5], job, ARGV[2])
put(KEYS[2], 'ledger', job, slot, '0', ARGV[6])
redis.call('HINCRBY', KEYS[3], 'results:' .. job .. ':' .. slot, 1)
redis.call('HINCRBY', KEYS[4], 'results:' .. job, 1)
for _, body in ipairs(bodies) do
  put(KEYS[1], 'poll', job, slot, ARGV[5], body)
end
redis.call('HINCRBY', KEYS[3], 'polling:' .. job .. ':' .. slot, #bodies)
redis.call('HINCRBY', KEYS[4], 'polling:' .. job, #bodies)
return #bodies
