-- name: job
-- A job's id.
SELECT id FROM jobs WHERE name = $1

-- name: entries
-- What the ledger says of job $1, shard $2 and tick $3: its parts, and ranges of skipped ticks that cover it.
SELECT extract(epoch FROM tick)::bigint AS first, extract(epoch FROM tick_to)::bigint AS last, plan, count, skipped, cause
FROM ledger
WHERE job = $1 AND shard = $2 AND tick = to_timestamp($3::bigint)
UNION ALL
SELECT extract(epoch FROM tick)::bigint, extract(epoch FROM tick_to)::bigint, plan, count, skipped, cause
FROM ledger
WHERE job = $1 AND shard = $2 AND tick_to <> tick AND tick < to_timestamp($3::bigint)
    AND tick_to >= to_timestamp($3::bigint)

-- name: reach
-- The first and the last tick of the ledger of job $1 in shard $2; null if it has none.
SELECT
    (SELECT extract(epoch FROM tick)::bigint FROM ledger WHERE job = $1 AND shard = $2 AND plan <> 0 ORDER BY tick LIMIT 1)
        AS first,
    (SELECT extract(epoch FROM tick_to)::bigint FROM ledger WHERE job = $1 AND shard = $2 AND plan <> 0
        ORDER BY tick DESC LIMIT 1) AS last

-- name: days
-- The names of the partitions of the ledger.
SELECT c.relname AS name
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'ledger'::regclass

-- name: plan
-- The plan of job $1 in shard $2 at tick $3.
SELECT extract(epoch FROM valid_from)::bigint AS valid_from, extract(epoch FROM valid_to)::bigint AS valid_to,
    body::text AS body
FROM plans
WHERE job = $1 AND shard = $2 AND valid_from <= to_timestamp($3::bigint)
    AND (valid_to IS NULL OR valid_to > to_timestamp($3::bigint))

-- name: losses
-- Losses of Redis data in shard $1 that cover tick $2.
SELECT reason FROM losses
WHERE shard = $1 AND from_tick <= to_timestamp($2::bigint) AND to_tick >= to_timestamp($2::bigint)
