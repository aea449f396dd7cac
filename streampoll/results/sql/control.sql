-- name: pauses
-- What is paused.
SELECT kind, name, extract(epoch FROM since)::bigint AS since, by, reason FROM pauses ORDER BY kind, name

-- name: pause
-- Pause a job or class; one that is paused stays so, since when it was, with the new reason.
INSERT INTO pauses (kind, name, by, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (kind, name) DO UPDATE SET by = excluded.by, reason = excluded.reason

-- name: resume
-- End a pause; answers its name if there was one.
DELETE FROM pauses WHERE kind = $1 AND name = $2 RETURNING name

-- name: tokens
-- The tokens that are not revoked.
SELECT id, name, role, digest, extract(epoch FROM created)::bigint AS created,
    coalesce(extract(epoch FROM expires)::bigint, 0) AS expires
FROM tokens WHERE revoked IS NULL ORDER BY id

-- name: create_token
-- A new token; answers its number.
INSERT INTO tokens (name, role, digest, expires)
VALUES ($1, $2, $3, CASE WHEN $4::bigint > 0 THEN to_timestamp($4::bigint) END) RETURNING id

-- name: revoke_token
-- End a token; answers its name if it held.
UPDATE tokens SET revoked = now() WHERE id = $1 AND revoked IS NULL RETURNING name

-- name: note_action
-- Who did what.
INSERT INTO actions (by, action, target, detail) VALUES ($1, $2, $3, $4)

-- name: actions
-- The last actions, the newest first.
SELECT extract(epoch FROM at)::float8 AS at, by, action, target, detail FROM actions
WHERE at >= to_timestamp($1::bigint) ORDER BY at DESC LIMIT $2
