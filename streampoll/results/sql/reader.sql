-- name: job
-- One job's id.
SELECT id FROM jobs WHERE name = $1

-- name: device
-- One device's id.
SELECT id FROM devices WHERE name = $1

-- name: similar
-- Names that share a beginning or an end with $1, for a hint.
SELECT name FROM devices
WHERE starts_with(name, left($1, 3)) OR right(name, 4) = right($1, 4)
LIMIT 2000

-- name: first_day
-- The names of the partitions of polls.
SELECT c.relname AS name
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'polls'::regclass

-- name: history
-- One device's rows from $2 to $3, the newest first: each second of the span is one probe of the index (slot, device, …).
SELECT j.name AS job, extract(epoch FROM p.slot)::bigint AS slot, p.status, p.duration_ms, p.stored_ms, p.payload
FROM polls p JOIN jobs j ON j.id = p.job
WHERE p.device = $1
    AND p.slot >= to_timestamp($2::bigint) AND p.slot <= to_timestamp($3::bigint)
    AND p.slot = ANY(ARRAY(
        SELECT generate_series(to_timestamp($2::bigint), to_timestamp($3::bigint), '1 second')
    ))
    AND ($4::smallint IS NULL OR p.job = $4)
ORDER BY p.slot DESC, j.name
LIMIT $5

-- name: rates_history
-- One device's rates from $2 to $3, the newest first, as `history`.
SELECT j.name AS job, extract(epoch FROM r.slot)::bigint AS slot, r.payload
FROM rates r JOIN jobs j ON j.id = r.job
WHERE r.device = $1
    AND r.slot >= to_timestamp($2::bigint) AND r.slot <= to_timestamp($3::bigint)
    AND r.slot = ANY(ARRAY(
        SELECT generate_series(to_timestamp($2::bigint), to_timestamp($3::bigint), '1 second')
    ))
    AND ($4::smallint IS NULL OR r.job = $4)
ORDER BY r.slot DESC, j.name
LIMIT $5
