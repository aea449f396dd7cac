-- name: ranked
-- Devices by their polls with a slot from $1 to $2, $3 of them: with $4 those of whose polls the greatest share failed,
-- then the greatest number; else those whose polls took longest where they were answered, by their median.
SELECT d.name AS device, r.polls, r.failed, r.p50_ms, r.max_ms, r.status
FROM (
    SELECT device, count(*) AS polls, count(*) FILTER (WHERE status > 1) AS failed,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms, max(duration_ms) AS max_ms,
        (array_agg(status ORDER BY slot DESC))[1] AS status
    FROM polls
    WHERE slot >= to_timestamp($1::bigint) AND slot <= to_timestamp($2::bigint) AND ($4::boolean OR status <= 1)
    GROUP BY device
    HAVING NOT $4::boolean OR count(*) FILTER (WHERE status > 1) > 0
) r JOIN devices d ON d.id = r.device
ORDER BY CASE WHEN $4::boolean THEN r.failed::float / r.polls ELSE r.p50_ms END DESC, r.failed DESC, d.name
LIMIT $3

-- name: past
-- Polls by steps of $4 seconds, over slots from $1 to $2 of which every $3rd is looked at: how many, their lateness, and
-- from a slot to its last row; where jobs differ, those of the worst. Each slot looked at is one probe of the index, or
-- all are read in one go. Two branches, not an OR: in a plan for any $3 each row would be sought in the list.
WITH chosen AS (
    SELECT slot, job, status, stored_ms FROM polls
    WHERE $3::bigint = 1 AND slot >= to_timestamp($1::bigint) AND slot <= to_timestamp($2::bigint)
    UNION ALL
    SELECT slot, job, status, stored_ms FROM polls
    WHERE $3::bigint > 1 AND slot >= to_timestamp($1::bigint) AND slot <= to_timestamp($2::bigint)
        AND slot = ANY(ARRAY(
            SELECT to_timestamp(second) FROM generate_series($1::bigint, $2::bigint) second
            WHERE second % 1000003 * 7919 % 1000003 % $3::bigint = 0
        ))
), polled AS (
    SELECT *, extract(epoch FROM slot)::bigint / $4::bigint * $4::bigint AS at FROM chosen
), late AS (
    SELECT at, job, count(*) AS polls, count(*) FILTER (WHERE status > 1) AS failed,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY stored_ms) FILTER (WHERE status <= 1) AS p50_ms,
        percentile_disc(0.99) WITHIN GROUP (ORDER BY stored_ms) FILTER (WHERE status <= 1) AS p99_ms
    FROM polled GROUP BY at, job
), cycles AS (
    SELECT at, job, percentile_disc(0.5) WITHIN GROUP (ORDER BY last_ms) AS p50_ms,
        percentile_disc(0.99) WITHIN GROUP (ORDER BY last_ms) AS p99_ms
    FROM (SELECT at, job, slot, max(stored_ms) AS last_ms FROM polled GROUP BY at, job, slot) s
    GROUP BY at, job
)
SELECT at, sum(late.polls)::bigint AS polls, sum(late.failed)::bigint AS failed,
    max(late.p50_ms) AS late_p50_ms, max(late.p99_ms) AS late_p99_ms,
    max(cycles.p50_ms) AS cycle_p50_ms, max(cycles.p99_ms) AS cycle_p99_ms
FROM late JOIN cycles USING (at, job)
GROUP BY at ORDER BY at
