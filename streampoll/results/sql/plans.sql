-- name: current_plans
-- The plan in force of each (job, shard).
SELECT j.name AS job, p.shard, p.id, extract(epoch FROM p.valid_from)::bigint AS valid_from
FROM plans p JOIN jobs j ON j.id = p.job
WHERE p.valid_to IS NULL

-- name: began
-- The first tick of any plan of each (job, shard).
SELECT j.name AS job, p.shard, extract(epoch FROM min(p.valid_from))::bigint AS tick
FROM unnest($1::text[], $2::smallint[]) AS given (job, shard)
JOIN jobs j ON j.name = given.job
JOIN plans p ON p.job = j.id AND p.shard = given.shard
GROUP BY j.name, p.shard

-- name: withdraw_same
-- A plan that is in force under the same id only has its first tick moved: taken out here, its former reopened below.
DELETE FROM plans p
USING unnest($1::smallint[], $2::smallint[], $3::bigint[]) AS given (job, shard, id)
WHERE p.job = given.job AND p.shard = given.shard AND p.id = given.id AND p.valid_to IS NULL

-- name: withdraw_later
-- Plans that were to take effect at or after the new one's first tick never did.
DELETE FROM plans p
USING unnest($1::smallint[], $2::smallint[], $3::bigint[]) AS given (job, shard, valid_from)
WHERE p.job = given.job AND p.shard = given.shard AND p.valid_from >= to_timestamp(given.valid_from)

-- name: end_former
-- The latest that remains holds up to the new one's first tick.
UPDATE plans p SET valid_to = to_timestamp(given.valid_from)
FROM unnest($1::smallint[], $2::smallint[], $3::bigint[]) AS given (job, shard, valid_from)
WHERE p.job = given.job AND p.shard = given.shard
    AND p.valid_from = (SELECT max(f.valid_from) FROM plans f WHERE f.job = given.job AND f.shard = given.shard)

-- name: insert_plans
-- The new ones.
INSERT INTO plans (job, shard, id, valid_from, body)
SELECT job, shard, id, to_timestamp(valid_from), body::jsonb
FROM unnest($1::smallint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::text[])
    AS given (job, shard, id, valid_from, body)

-- name: insert_loss
-- A loss of Redis data, as the leader noticed it.
INSERT INTO losses (shard, from_tick, to_tick, reason)
VALUES ($1, to_timestamp($2::bigint), to_timestamp($3::bigint), $4)
ON CONFLICT DO NOTHING

-- name: final
-- The tick up to which each shard was final when a leader last looked.
SELECT shard, extract(epoch FROM tick)::bigint AS tick FROM final

-- name: note_final
-- The same, as it is now.
INSERT INTO final (shard, tick)
SELECT shard, to_timestamp(tick) FROM unnest($1::smallint[], $2::bigint[]) AS given (shard, tick)
ON CONFLICT (shard) DO UPDATE SET tick = excluded.tick

-- name: dispatched
-- The last tick of the ledger of each (job, shard): one descent of its index a day.
SELECT j.name AS job, given.shard, extract(epoch FROM last.tick)::bigint AS tick
FROM unnest($1::text[], $2::smallint[]) AS given (job, shard)
JOIN jobs j ON j.name = given.job
CROSS JOIN LATERAL (
    SELECT l.tick FROM ledger l WHERE l.job = j.id AND l.shard = given.shard AND l.plan <> 0 ORDER BY l.tick DESC LIMIT 1
) last
