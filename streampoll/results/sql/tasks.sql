-- name: insert_tasks
-- Ends of tasks. Of two executions of one task the first is kept; a key that is sent again after its day replaces.
INSERT INTO tasks (sent, finished, started, attempts, state, id, name, worker, value, error_type, error, traceback)
SELECT to_timestamp(sent), to_timestamp(finished), to_timestamp(started), attempts, state, id, name, worker, value,
    error_type, error, traceback
FROM unnest($1::float8[], $2::float8[], $3::float8[], $4::int[], $5::smallint[], $6::text[], $7::text[], $8::text[],
        $9::bytea[], $10::text[], $11::text[], $12::text[])
    AS ends (sent, finished, started, attempts, state, id, name, worker, value, error_type, error, traceback)
ON CONFLICT (id) DO UPDATE SET
    sent = excluded.sent, finished = excluded.finished, started = excluded.started, attempts = excluded.attempts,
    state = excluded.state, name = excluded.name, worker = excluded.worker, value = excluded.value,
    error_type = excluded.error_type, error = excluded.error, traceback = excluded.traceback
WHERE excluded.sent > tasks.sent

-- name: drop_tasks
-- Ends older than $1, some at a time: who waits for a result must not wait for a million rows.
DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE finished < to_timestamp($1::float8) LIMIT 5000)

-- name: task_results
-- Ends of the tasks $1.
SELECT extract(epoch FROM sent)::float8 AS sent, extract(epoch FROM finished)::float8 AS finished,
    extract(epoch FROM started)::float8 AS started, attempts, state, id, name, worker, value, error_type, error, traceback
FROM tasks WHERE id = ANY($1::text[])

-- name: task_list
-- Ends since $1, the newest first, at most $2; $3 a name ('' = any), $4 a state (null = any).
SELECT extract(epoch FROM sent)::float8 AS sent, extract(epoch FROM finished)::float8 AS finished,
    extract(epoch FROM started)::float8 AS started, attempts, state, id, name, worker, value, error_type, error, traceback
FROM tasks
WHERE finished >= to_timestamp($1::float8) AND ($3::text = '' OR name = $3) AND ($4::smallint IS NULL OR state = $4)
ORDER BY finished DESC LIMIT $2
