-- name: start
-- A new run; nothing if there is one of this id.
INSERT INTO workflow_runs (id, workflow, state, cause, shard, deadline, definition, inputs, devices, event)
VALUES ($1, $2, 'running', $3, $4, now() + $5 * interval '1 second', $6::jsonb, $7::jsonb, $8::jsonb, $9::jsonb)
ON CONFLICT (id) DO NOTHING

-- name: refuse
-- A run that can't be started, so that it is seen.
INSERT INTO workflow_runs (id, workflow, state, cause, error, shard, ended, deadline, definition, inputs, devices, event)
VALUES ($1, $2, 'failed', $3, $4, $5, now(), now(), '{}', '{}', $6::jsonb, $7::jsonb)
ON CONFLICT (id) DO NOTHING

-- name: add_steps
-- All steps of a new run, waiting.
INSERT INTO workflow_steps (run, step, element, state)
SELECT $1, step, -1, 'waiting' FROM unnest($2::text[]) step
ON CONFLICT DO NOTHING

-- name: run
-- One run.
SELECT id, workflow, state, cause, error, shard, extract(epoch FROM started) AS started, extract(epoch FROM ended) AS ended,
    extract(epoch FROM deadline) - extract(epoch FROM now()) AS left_s,
    definition::text AS definition, inputs::text AS inputs, devices::text AS devices, event::text AS event
FROM workflow_runs WHERE id = $1

-- name: lock
-- One run, ours until the transaction ends; something happens in it.
UPDATE workflow_runs SET touched = now() WHERE id = $1
RETURNING state, shard, extract(epoch FROM deadline) - extract(epoch FROM now()) AS left_s

-- name: run_locked
-- What decides what follows in a run.
SELECT workflow, state, definition::text AS definition FROM workflow_runs WHERE id = $1 FOR UPDATE

-- name: move_run
-- A run's state; the first cause stays.
UPDATE workflow_runs SET state = $2, error = CASE WHEN error = '' THEN $3 ELSE error END, touched = now(),
    ended = CASE WHEN $4 THEN now() END
WHERE id = $1

-- name: claim
-- A queued step becomes ours, once; a running one of the entry that began it, which is delivered again.
UPDATE workflow_steps SET state = 'running', entry = $5, started = coalesce(started, now())
WHERE run = $1 AND step = $2 AND element = $3 AND state = 'queued' AND attempt = $4
    AND due <= now() + interval '50 milliseconds'
RETURNING item::text AS item, memo::text AS memo

-- name: step
-- One step, or element.
SELECT state, attempt, entry, extract(epoch FROM due) - extract(epoch FROM now()) AS wait_s,
    item::text AS item, memo::text AS memo, total
FROM workflow_steps WHERE run = $1 AND step = $2 AND element = $3

-- name: note_input
-- What a step is about to do.
UPDATE workflow_steps SET input = $5::jsonb WHERE run = $1 AND step = $2 AND element = $3 AND entry = $4

-- name: end_step
-- A step has ended; nothing if it is not the running one of this entry any more.
UPDATE workflow_steps SET state = $5, error = $6, output = $7::jsonb, input = coalesce($8::jsonb, input), ended = now(),
    memo = NULL
WHERE run = $1 AND step = $2 AND element = $3 AND entry = $4 AND state = 'running'
RETURNING step

-- name: again
-- A step is to be looked at again later: the next attempt, or the same one still waiting for something.
UPDATE workflow_steps SET state = 'queued', attempt = attempt + $5, due = now() + $6 * interval '1 second', error = $7,
    memo = $8::jsonb, entry = '', input = coalesce($9::jsonb, input)
WHERE run = $1 AND step = $2 AND element = $3 AND entry = $4 AND state = 'running'
RETURNING attempt

-- name: doubt
-- A step that runs once, whose process died.
UPDATE workflow_steps SET state = 'unknown', error = $5
WHERE run = $1 AND step = $2 AND element = $3 AND entry = $4 AND state = 'running'
RETURNING step

-- name: spread
-- The elements of a fan-out, waiting.
INSERT INTO workflow_steps (run, step, element, state, item)
SELECT $1, $2, number - 1, 'waiting', item
FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS items (item, number)
ON CONFLICT DO NOTHING

-- name: spread_out
-- A step has so many elements.
UPDATE workflow_steps SET total = $5, input = coalesce($6::jsonb, input)
WHERE run = $1 AND step = $2 AND element = -1 AND entry = $3 AND state = 'running' AND total = $4
RETURNING step

-- name: next_elements
-- The next $3 elements of a fan-out are queued.
WITH whole AS (
    UPDATE workflow_steps SET next = least(total, next + $3)
    WHERE run = $1 AND step = $2 AND element = -1
    RETURNING total, next
)
UPDATE workflow_steps s SET state = 'queued', due = now() FROM whole
WHERE s.run = $1 AND s.step = $2 AND s.state = 'waiting' AND s.element >= 0 AND s.element < whole.next
RETURNING s.element

-- name: count_element
-- An element has ended: how many now have.
UPDATE workflow_steps SET done = done + 1, failed = failed + $3
WHERE run = $1 AND step = $2 AND element = -1
RETURNING done, failed, total

-- name: join
-- All elements have ended, and so has the step.
UPDATE workflow_steps SET state = $3, error = $4, ended = now()
WHERE run = $1 AND step = $2 AND element = -1 AND state = 'running'

-- name: states
-- Where the steps of a run are.
SELECT step, state, coalesce(extract(epoch FROM ended), 0)::float8 AS ended
FROM workflow_steps WHERE run = $1 AND element = -1

-- name: queue
-- Steps whose turn it is.
UPDATE workflow_steps SET state = 'queued', due = now()
WHERE run = $1 AND step = ANY($2::text[]) AND element = -1 AND state = 'waiting'
RETURNING step

-- name: skip
-- Steps that are left out.
UPDATE workflow_steps SET state = 'skipped', ended = now()
WHERE run = $1 AND step = ANY($2::text[]) AND state IN ('waiting', 'queued')

-- name: cancel_steps
-- Whatever of a run has not ended does now.
UPDATE workflow_steps SET state = $2, error = $3, ended = now()
WHERE run = $1 AND state IN ('waiting', 'queued', 'running', 'unknown')

-- name: fail_steps
-- The time of a run is over: what is under way has failed.
UPDATE workflow_steps SET state = CASE state WHEN 'waiting' THEN 'cancelled' ELSE 'failed' END, error = $2, ended = now()
WHERE run = $1 AND (state IN ('queued', 'running', 'unknown') OR (state = 'waiting' AND element >= 0))

-- name: strayed
-- Steps and elements that have been queued, or running, for longer than they can be: their entry may be lost.
SELECT step, element, attempt, entry FROM workflow_steps
WHERE run = $1 AND (
    (state = 'queued' AND due <= now() - $2 * interval '1 second')
    OR (state = 'running' AND total = 0 AND started <= now() - $3 * interval '1 second')
)
ORDER BY step, element LIMIT 1000

-- name: outputs
-- What steps of a run gave.
SELECT step, state, error, output::text AS output, total FROM workflow_steps
WHERE run = $1 AND element = -1 AND step = ANY($2::text[])

-- name: elements
-- What the elements of a fan-out gave, in order.
SELECT element, state, error, item::text AS item, output::text AS output FROM workflow_steps
WHERE run = $1 AND step = $2 AND element >= 0 ORDER BY element

-- name: forgotten
-- Runs that nothing has happened to for $1 seconds, or whose time is over, ours to look after now.
UPDATE workflow_runs SET touched = now() WHERE id IN (
    SELECT id FROM workflow_runs
    WHERE (state IN ('running', 'undoing') AND touched < now() - $1 * interval '1 second')
        OR (state = 'running' AND deadline < now() AND touched < now() - interval '10 seconds')
    ORDER BY touched LIMIT 100 FOR UPDATE SKIP LOCKED
)
RETURNING id, workflow, shard

-- name: retire
-- Runs that ended longer ago than the rows of polls are kept.
DELETE FROM workflow_runs WHERE id IN (
    SELECT id FROM workflow_runs WHERE ended < now() - $1 * interval '1 day' LIMIT 1000 FOR UPDATE SKIP LOCKED
)

-- name: slot
-- A slot for an ad hoc poll of a device: now, or a second after the one before.
INSERT INTO workflow_slots AS known (job, device, slot) VALUES ($1, $2, $3)
ON CONFLICT (job, device) DO UPDATE SET slot = greatest(excluded.slot, known.slot + 1)
RETURNING slot

-- name: lock_config
-- Versions of one thing are made one at a time.
SELECT pg_advisory_xact_lock(hashtextextended($1 || chr(1) || $2, 0))

-- name: last_config
-- The newest version.
SELECT version, text FROM configs WHERE device = $1 AND name = $2 ORDER BY version DESC LIMIT 1

-- name: keep_config
-- A new version.
INSERT INTO configs (device, name, version, run, diff, text) VALUES ($1, $2, $3, $4, $5, $6)

-- name: configs
-- Versions, the newest first.
SELECT device, name, version, extract(epoch FROM at) AS at, run, diff, length(text) AS characters
FROM configs WHERE ($1 = '' OR device = $1) AND ($2 = '' OR name = $2)
ORDER BY at DESC, device, name LIMIT $3

-- name: config
-- One version.
SELECT device, name, version, extract(epoch FROM at) AS at, run, diff, text
FROM configs WHERE device = $1 AND name = $2 AND ($3 = 0 OR version = $3) ORDER BY version DESC LIMIT 1

-- name: runs
-- Runs, the newest first.
SELECT r.id, r.workflow, r.state, r.cause, r.error, r.devices::text AS devices,
    extract(epoch FROM r.started) AS started, extract(epoch FROM r.ended) AS ended,
    (SELECT count(*) FROM workflow_steps s WHERE s.run = r.id AND s.element = -1) AS steps,
    (SELECT count(*) FROM workflow_steps s WHERE s.run = r.id AND s.element = -1
        AND s.state IN ('ok', 'failed', 'skipped', 'cancelled')) AS steps_ended,
    EXISTS (SELECT FROM workflow_steps s WHERE s.run = r.id AND s.state = 'unknown') AS unknown
FROM workflow_runs r
WHERE r.started >= to_timestamp($1) AND ($2 = '' OR r.workflow = $2) AND ($3 = '' OR r.state = $3)
    AND ($4 = '' OR r.devices ? $4)
ORDER BY r.started DESC LIMIT $5

-- name: all_steps
-- Every step of a run with what became of it, and the elements that are of interest: failed, unknown, under way.
SELECT step, element, state, attempt, error, extract(epoch FROM started) AS started, extract(epoch FROM ended) AS ended,
    extract(epoch FROM due) AS due, total, done, failed, item::text AS item, input::text AS input, output::text AS output
FROM workflow_steps
WHERE run = $1 AND (element = -1 OR $2 OR state IN ('failed', 'unknown', 'running'))
ORDER BY step, element LIMIT $3

-- name: resolve
-- A person says what became of a step that is unknown.
UPDATE workflow_steps SET state = $4, attempt = attempt + $5, due = now(), error = $6, entry = '',
    ended = CASE WHEN $4 = 'ok' THEN now() END, output = CASE WHEN $4 = 'ok' THEN '{}'::jsonb END
WHERE run = $1 AND step = $2 AND element = $3 AND state = 'unknown'
RETURNING attempt
