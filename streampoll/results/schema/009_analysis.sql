-- What analysis makes of polls: rates of counters, and events. docs/protocol.md and docs/analysis.md say what they mean.

-- One row a poll that brought rates, as polls: widest first, no nulls, no padding.
CREATE TABLE rates (
    slot    timestamptz NOT NULL,
    device  integer NOT NULL,          -- devices.id
    job     smallint NOT NULL,         -- jobs.id
    payload bytea NOT NULL             -- docs/protocol.md
) PARTITION BY RANGE (slot);

ALTER TABLE rates ALTER COLUMN payload SET STORAGE EXTERNAL;

-- The slot first, for the reason that it is in polls_key.
CREATE UNIQUE INDEX rates_key ON rates (slot, device, job);

-- What a rule found wrong with a device or a row of one of its tables, from when to when.
CREATE TABLE events (
    id                bigint PRIMARY KEY,   -- the unsigned hash of rule, device, row and opened, as the same bits
    opened            timestamptz NOT NULL, -- the slot in which it was found
    updated           timestamptz NOT NULL, -- the slot of its last change
    closed            timestamptz,          -- null: it is open
    acknowledged_at   timestamptz,          -- null: nobody has it in hand
    value             double precision,     -- what the rule looked at; null: nothing that is a number
    severity          smallint NOT NULL,    -- 0 info, 1 warning, 2 error, 3 critical
    rule              text NOT NULL,
    device            text NOT NULL,
    row               text NOT NULL,        -- the row's stable key; '': the device
    text              text NOT NULL,
    suppressed        text NOT NULL,        -- why nobody was told: maintenance, parent, lag, flapping; '': they were
    acknowledged_by   text NOT NULL DEFAULT '',
    acknowledged_note text NOT NULL DEFAULT '',
    labels            jsonb NOT NULL
);

-- At most one open event of a rule on a row; and what is open is found without the rest.
CREATE UNIQUE INDEX events_open ON events (rule, device, row) WHERE closed IS NULL;
CREATE INDEX events_by_time ON events (opened);
CREATE INDEX events_by_device ON events (device, opened);

-- Times in which nobody is told of what a selector's devices do.
CREATE TABLE maintenance (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,      -- exclusive
    selector jsonb NOT NULL,            -- as a job's
    by       text NOT NULL,
    reason   text NOT NULL
);

CREATE INDEX maintenance_by_end ON maintenance (until);
