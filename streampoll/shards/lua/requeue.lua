-- requeue: put a dead letter back to work. One that is not there any more is left alone: to send this again is safe.
-- KEYS  1 dead  2 stream  3 open  4 backlog  5 results
-- ARGV  1 class  2 letter  3 kind  4 job  5 slot  6 expiry  7 body  8 body of its ledger entry ('' = none)
--       9 rows that it has beyond the first
-- Answers 1 if it was put back.
-- include entries
-- include rows
if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then
  return 0
end
local job, slot = ARGV[4], ARGV[5]
put(KEYS[2], unpack(ARGV, 3, 7))
redis.call('HINCRBY', KEYS[3], ARGV[1] .. ':' .. job .. ':' .. slot, 1)
redis.call('HINCRBY', KEYS[4], ARGV[1] .. ':' .. job, 1)
if ARGV[9] ~= '0' then
  redis.call('HINCRBY', KEYS[4], ARGV[1] .. MORE_ROWS, ARGV[9])
end
if ARGV[8] ~= '' then
  put(KEYS[5], 'ledger', job, slot, '0', ARGV[8])
  redis.call('HINCRBY', KEYS[3], 'results:' .. job .. ':' .. slot, 1)
  redis.call('HINCRBY', KEYS[4], 'results:' .. job, 1)
end
return 1
