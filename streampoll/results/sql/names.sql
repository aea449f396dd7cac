-- name: select_jobs
-- The ids of jobs by name.
SELECT name, id FROM jobs WHERE name = ANY($1::text[])

-- name: insert_jobs
-- New jobs, in the order of their names; what another store made meanwhile stays.
INSERT INTO jobs (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING

-- name: select_devices
-- The ids of devices by name.
SELECT name, id FROM devices WHERE name = ANY($1::text[])

-- name: insert_devices
-- New devices with their hashes.
INSERT INTO devices (name, hash)
SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (name) DO NOTHING
