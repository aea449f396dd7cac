-- name: latest
-- The rows of (device, job, slot), for those that there are: one look-up of the key each.
SELECT given.device, given.job, given.slot, p.status, p.duration_ms, p.stored_ms
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS given (device, job, slot)
JOIN devices d ON d.name = given.device
JOIN jobs j ON j.name = given.job
CROSS JOIN LATERAL (
    SELECT status, duration_ms, stored_ms FROM polls
    WHERE slot = to_timestamp(given.slot) AND device = d.id AND job = j.id
    OFFSET 0
) p
