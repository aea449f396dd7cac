-- What became of users' tasks: one row a task that has ended.
CREATE TABLE tasks (
    sent       timestamptz NOT NULL,
    finished   timestamptz NOT NULL,
    started    timestamptz,            -- the last attempt; null: there was none
    attempts   integer NOT NULL,
    state      smallint NOT NULL,      -- streampoll.tasks.port.State
    id         text PRIMARY KEY,       -- shard-hex
    name       text NOT NULL,
    worker     text NOT NULL,          -- who ended it
    value      bytea NOT NULL,         -- msgpack of what it returned; empty: nothing is kept
    error_type text NOT NULL,          -- '' where it ended well, as the other two
    error      text NOT NULL,
    traceback  text NOT NULL
);

CREATE INDEX tasks_finished ON tasks (finished);
