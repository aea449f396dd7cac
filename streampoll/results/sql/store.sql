-- name: insert_polls
-- Rows in key order; an attempt's outcome replaces `expired` (9) and `crashed` (10), else the first stays.
INSERT INTO polls AS stored (slot, device, duration_ms, stored_ms, job, status, payload)
SELECT to_timestamp(slot), device, duration_ms, stored_ms, job, status, payload
FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::integer[], $5::smallint[], $6::smallint[], $7::bytea[])
    AS given (slot, device, duration_ms, stored_ms, job, status, payload)
ON CONFLICT (slot, device, job) DO UPDATE
    SET duration_ms = excluded.duration_ms, stored_ms = excluded.stored_ms,
        status = excluded.status, payload = excluded.payload
    WHERE stored.status IN (9, 10) AND excluded.status NOT IN (9, 10)

-- name: insert_repeats
-- Attempts whose outcome lost against a different one that is stored; the digest makes a redelivery count once.
INSERT INTO repeats (slot, device, job, digest)
SELECT DISTINCT stored.slot, stored.device, stored.job, given.digest
FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::smallint[], $5::bytea[], $6::bigint[])
    AS given (slot, device, job, status, payload, digest)
JOIN polls stored
    ON stored.slot = to_timestamp(given.slot) AND stored.device = given.device AND stored.job = given.job
WHERE given.status NOT IN (9, 10) AND (stored.status <> given.status OR stored.payload <> given.payload)
ON CONFLICT DO NOTHING

-- name: insert_ledger
-- Ledger entries; one that comes again changes nothing. What was dispatched and skipped (Redis forgot the one before the
-- other) stays dispatched, with the cause of the skip: see batch.py.
INSERT INTO ledger AS l (tick, tick_to, plan, hash_sum, count, skipped, part, job, shard, cause)
SELECT to_timestamp(tick), to_timestamp(tick_to), plan, hash_sum, count, skipped, part, job, shard, cause
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::bigint[], $7::integer[],
            $8::smallint[], $9::smallint[], $10::text[])
    AS given (tick, tick_to, plan, hash_sum, count, skipped, part, job, shard, cause)
ON CONFLICT (job, shard, tick, part, plan, tick_to) DO UPDATE
SET count = greatest(l.count, excluded.count), skipped = 0, cause = l.cause || excluded.cause,
    hash_sum = CASE WHEN l.count > 0 THEN l.hash_sum ELSE excluded.hash_sum END
WHERE (l.count > 0) <> (excluded.count > 0) AND (l.cause = '' OR excluded.cause = '')

-- name: insert_rates
-- Rows in key order; the first stays: a result is analysed once, and again only if nothing of that was stored.
INSERT INTO rates (slot, device, job, payload)
SELECT to_timestamp(slot), device, job, payload
FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::bytea[]) AS given (slot, device, job, payload)
ON CONFLICT (slot, device, job) DO NOTHING

-- name: probe
-- A write that shows whether PostgreSQL takes writes.
INSERT INTO probe (at) VALUES (now()) ON CONFLICT (id) DO UPDATE SET at = excluded.at
