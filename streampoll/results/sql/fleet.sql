-- name: newest
-- How the newest poll of each device ended, of those with a slot from $1 to $2.
SELECT DISTINCT ON (p.device) d.name AS device, j.name AS job, extract(epoch FROM p.slot)::bigint AS slot, p.status,
    p.duration_ms
FROM polls p JOIN devices d ON d.id = p.device JOIN jobs j ON j.id = p.job
WHERE p.slot >= to_timestamp($1::bigint) AND p.slot <= to_timestamp($2::bigint)
ORDER BY p.device, p.slot DESC
