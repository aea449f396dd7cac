-- Times are timestamptz on whole seconds (a slot is a tick), so that dashboards can filter on them directly.
-- 64-bit hashes and ids are unsigned in streampoll and stored as the signed bigint of the same bits.

-- Names, once each; rows carry the small integer.
CREATE TABLE jobs (
    id   smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE devices (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    hash bigint NOT NULL          -- the device's 64-bit hash, whose sums the ledger holds
);

-- One row a poll. Seven columns, widest first: no padding and, without nulls, no null bitmap.
CREATE TABLE polls (
    slot        timestamptz NOT NULL,
    device      integer NOT NULL,      -- devices.id
    duration_ms integer NOT NULL,
    stored_ms   integer NOT NULL,      -- milliseconds after the slot when the row was stored: its lateness
    job         smallint NOT NULL,     -- jobs.id
    status      smallint NOT NULL,     -- streampoll.model.Status
    payload     bytea NOT NULL         -- docs/protocol.md
) PARTITION BY RANGE (slot);

-- Compressed already: PostgreSQL need not try again.
ALTER TABLE polls ALTER COLUMN payload SET STORAGE EXTERNAL;

-- The slot comes first, so that a tick's rows touch neighbouring pages only. With the device first each row dirties a
-- page of its own, which after a checkpoint is logged whole: 1,677 bytes of WAL a row against 214 (100,000 devices, 40
-- rows each), and an index a third larger. One device's history is read by probing its slots. The included columns let
-- audit count in the index alone, never reading payloads. (Since 010 only `status` is included.)
CREATE UNIQUE INDEX polls_key ON polls (slot, device, job) INCLUDE (status, stored_ms);

-- What the coordinator did about each part of a tick, or about a range of skipped ticks.
CREATE TABLE ledger (
    tick     timestamptz NOT NULL,
    tick_to  timestamptz NOT NULL,     -- equals tick, but for a range
    plan     bigint NOT NULL,          -- plans.id; 0 for ad hoc polls
    hash_sum bigint NOT NULL,          -- sum of the device hashes, modulo 2^64
    skipped  bigint NOT NULL,          -- polls not dispatched; a range may be weeks of a whole shard
    count    integer NOT NULL,         -- polls dispatched
    part     integer NOT NULL,
    job      smallint NOT NULL,
    shard    smallint NOT NULL,
    cause    text NOT NULL             -- why they were skipped
) PARTITION BY RANGE (tick);

-- With the range's end: one that begins at a tick that was dispatched, or as another does, is another entry.
CREATE UNIQUE INDEX ledger_key ON ledger (job, shard, tick, part, plan, tick_to);
CREATE INDEX ledger_ranges ON ledger (tick_to) WHERE tick_to <> tick;

-- What is due, and since when: committed before it takes effect, so that audit needs no Redis.
CREATE TABLE plans (
    id         bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz,            -- the first tick it no longer holds for; null: it holds
    job        smallint NOT NULL,
    shard      smallint NOT NULL,
    body       jsonb NOT NULL,         -- docs/protocol.md
    PRIMARY KEY (job, shard, valid_from)
);

CREATE UNIQUE INDEX plans_current ON plans (job, shard) WHERE valid_to IS NULL;

-- Second outcomes of one poll that differ from the one that is kept: polls that were executed twice.
CREATE TABLE repeats (
    slot   timestamptz NOT NULL,
    digest bigint NOT NULL,            -- of the suppressed outcome, so that a redelivery counts once
    device integer NOT NULL,
    job    smallint NOT NULL,
    PRIMARY KEY (slot, device, job, digest)
);

-- Losses of Redis data that the leader has on record; only these make a missing poll a lost one.
CREATE TABLE losses (
    from_tick timestamptz NOT NULL,
    to_tick   timestamptz NOT NULL,    -- inclusive
    noted     timestamptz NOT NULL DEFAULT now(),
    shard     smallint NOT NULL,
    reason    text NOT NULL,
    PRIMARY KEY (shard, from_tick, to_tick, reason)
);

-- Up to which tick each shard was final (nothing of it left in Redis) when a leader last looked: a loss of Redis data can
-- have taken nothing older.
CREATE TABLE final (
    shard smallint PRIMARY KEY,
    tick  timestamptz NOT NULL
);

-- One row that a store writes to learn whether PostgreSQL takes writes again.
CREATE TABLE probe (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    at timestamptz NOT NULL
);
