-- name: current_plans
-- The plan in force of each (job, shard).
SELECT j.name AS job, p.shard, p.id, extract(epoch FROM p.valid_from)::bigint AS valid_from
FROM plans p JOIN jobs j ON j.id = p.job
WHERE p.valid_to IS NULL

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
