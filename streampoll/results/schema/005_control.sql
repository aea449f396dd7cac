-- What operators have decided, and who may: written by the API and the command line, read by the leader every other second.

-- Jobs of which nothing is due, and queue classes that no worker reads, until the row goes.
CREATE TABLE pauses (
    kind   text NOT NULL CHECK (kind IN ('job', 'queue')),
    name   text NOT NULL,
    since  timestamptz NOT NULL DEFAULT now(),
    by     text NOT NULL,             -- a token's name, a user's at a command line
    reason text NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Tokens of the API; never the token itself.
CREATE TABLE tokens (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL,
    role    text NOT NULL CHECK (role IN ('read', 'operator')),
    digest  bytea NOT NULL UNIQUE,    -- SHA-256 of the token
    created timestamptz NOT NULL DEFAULT now(),
    expires timestamptz,              -- null: never
    revoked timestamptz               -- null: it holds
);

-- Who did what.
CREATE TABLE actions (
    at     timestamptz NOT NULL DEFAULT now(),
    by     text NOT NULL,
    action text NOT NULL,             -- run, pause, resume, requeue, …
    target text NOT NULL,
    detail text NOT NULL
);

CREATE INDEX actions_at ON actions (at);
