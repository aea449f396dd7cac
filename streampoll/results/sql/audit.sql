-- name: jobs
-- All jobs.
SELECT id, name FROM jobs

-- name: horizons
-- The last tick of each (job, shard)'s ledger since $1 (null if it has but ad hoc polls, which say nothing of how far the
-- plan has come); ranges that began earlier have their own index.
SELECT job, shard, extract(epoch FROM max(tick_to) FILTER (WHERE plan <> 0))::bigint AS horizon
FROM (
    SELECT job, shard, tick_to, plan FROM ledger WHERE tick >= to_timestamp($1::bigint)
    UNION ALL
    SELECT job, shard, tick_to, plan FROM ledger WHERE tick_to <> tick AND tick_to >= to_timestamp($1::bigint)
) entries
GROUP BY job, shard

-- name: plans
-- Plans that hold for some tick from $1 to $2.
SELECT job, shard, extract(epoch FROM valid_from)::bigint AS valid_from,
    extract(epoch FROM valid_to)::bigint AS valid_to, body::text AS body
FROM plans
WHERE valid_from <= to_timestamp($2::bigint) AND (valid_to IS NULL OR valid_to > to_timestamp($1::bigint))

-- name: booked
-- The ledger of one (job, shard) by tick and plan, without ranges; plan 0 is ad hoc.
SELECT extract(epoch FROM tick)::bigint AS tick, plan, sum(count) AS count, sum(hash_sum) AS hash_sum,
    sum(skipped) AS skipped, bool_or(count > 0 AND cause <> '') AS forgotten
FROM ledger
WHERE job = $1 AND shard = $2 AND tick >= to_timestamp($3::bigint) AND tick <= to_timestamp($4::bigint)
    AND tick_to = tick
GROUP BY tick, plan

-- name: ranges
-- Ranges of skipped ticks that reach into $1 to $2.
SELECT job, shard, extract(epoch FROM tick)::bigint AS first, extract(epoch FROM tick_to)::bigint AS last, skipped
FROM ledger
WHERE tick_to <> tick AND tick_to >= to_timestamp($1::bigint) AND tick <= to_timestamp($2::bigint)

-- name: losses
-- Losses of Redis data that reach into $1 to $2.
SELECT shard, extract(epoch FROM from_tick)::bigint AS first, extract(epoch FROM to_tick)::bigint AS last
FROM losses
WHERE to_tick >= to_timestamp($1::bigint) AND from_tick <= to_timestamp($2::bigint)

-- name: stored
-- Rows by job, slot and status: read from the index alone.
SELECT p.job, extract(epoch FROM p.slot)::bigint AS slot, p.status, count(*) AS rows, sum(d.hash) AS hash_sum
FROM polls p JOIN devices d ON d.id = p.device
WHERE p.slot >= to_timestamp($1::bigint) AND p.slot <= to_timestamp($2::bigint)
GROUP BY p.job, p.slot, p.status

-- name: times
-- When rows with a slot from $1 to $2 (of job $4, or null: of all) were stored; one slot in $3 is looked at, picked by a
-- hash, as with every $3rd a job's would all be looked at or none. By job and slot the last (hundredths is null), and by
-- job and lateness, in hundredths of a second, how many were answered (slot is null). Only the table has that, so it is
-- read once, for both.
WITH timed AS (
    SELECT job, slot, status, stored_ms FROM polls
    WHERE $3::bigint = 1 AND ($4::int IS NULL OR job = $4)
        AND slot >= to_timestamp($1::bigint) AND slot <= to_timestamp($2::bigint)
    UNION ALL
    SELECT job, slot, status, stored_ms FROM polls
    WHERE $3::bigint > 1 AND ($4::int IS NULL OR job = $4)
        AND slot >= to_timestamp($1::bigint) AND slot <= to_timestamp($2::bigint)
        AND slot = ANY(ARRAY(
            SELECT to_timestamp(second) FROM generate_series($1::bigint, $2::bigint) second
            WHERE second % 1000003 * 7919 % 1000003 % $3::bigint = 0
        ))
)
SELECT job, extract(epoch FROM slot)::bigint AS slot, stored_ms / 10 AS hundredths,
    count(*) FILTER (WHERE status IN (0, 1)) AS answered, max(stored_ms) AS last_ms
FROM timed
GROUP BY GROUPING SETS ((job, slot), (job, stored_ms / 10))

-- name: devices
-- How many devices have rows, by job and (job null) in all.
WITH seen AS MATERIALIZED (
    SELECT DISTINCT job, device FROM polls
    WHERE slot >= to_timestamp($1::bigint) AND slot <= to_timestamp($2::bigint)
)
SELECT job, count(*) AS devices FROM seen GROUP BY job
UNION ALL
SELECT NULL, count(DISTINCT device) FROM seen

-- name: repeats
-- Second outcomes that were suppressed, by job.
SELECT job, count(*) AS repeats
FROM repeats
WHERE slot >= to_timestamp($1::bigint) AND slot <= to_timestamp($2::bigint)
GROUP BY job

-- name: neighbours
-- Devices with a row of the job in one of the slots $2, but not in slot $3: those that most likely fell short there.
SELECT DISTINCT d.name
FROM polls p JOIN devices d ON d.id = p.device JOIN jobs j ON j.id = p.job
WHERE j.name = $1 AND p.slot = ANY(SELECT to_timestamp(s) FROM unnest($2::bigint[]) s)
    AND NOT EXISTS (
        SELECT FROM polls q WHERE q.slot = to_timestamp($3::bigint) AND q.device = p.device AND q.job = p.job
    )
ORDER BY d.name
LIMIT $4
