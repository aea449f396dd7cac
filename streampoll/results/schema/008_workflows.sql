-- Runs of workflows and their steps, and what workflows keep of devices.

CREATE TABLE workflow_runs (
    id         text PRIMARY KEY,           -- 16 hexadecimal digits
    workflow   text NOT NULL,
    state      text NOT NULL,              -- streampoll.workflows.engine.RunState
    cause      text NOT NULL,              -- schedule, event, api, cli
    error      text NOT NULL DEFAULT '',
    shard      smallint NOT NULL,          -- whose streams carry it
    started    timestamptz NOT NULL DEFAULT now(),
    ended      timestamptz,
    deadline   timestamptz NOT NULL,
    touched    timestamptz NOT NULL DEFAULT now(),   -- when anything of it last happened, or was looked after
    definition jsonb NOT NULL,             -- the file as it was then: a run goes on as it began
    inputs     jsonb NOT NULL,
    devices    jsonb NOT NULL,             -- their names
    event      jsonb NOT NULL              -- that started it; {} for none
);

CREATE INDEX workflow_runs_recent ON workflow_runs (started);
CREATE INDEX workflow_runs_open ON workflow_runs (touched) WHERE state IN ('running', 'undoing');

CREATE TABLE workflow_steps (
    run       text NOT NULL REFERENCES workflow_runs ON DELETE CASCADE,
    step      text NOT NULL,
    element   integer NOT NULL,            -- of a fan-out, from 0; -1: the step itself
    state     text NOT NULL,               -- streampoll.workflows.engine.State
    attempt   integer NOT NULL DEFAULT 1,
    due       timestamptz,                 -- when a queued one may begin
    entry     text NOT NULL DEFAULT '',    -- the entry that runs it: a second one of the same step does nothing
    error     text NOT NULL DEFAULT '',
    started   timestamptz,
    ended     timestamptz,
    total     integer NOT NULL DEFAULT 0,  -- of a fan-out: elements
    next      integer NOT NULL DEFAULT 0,  -- the next element to be started
    done      integer NOT NULL DEFAULT 0,  -- elements that have ended
    failed    integer NOT NULL DEFAULT 0,
    item      jsonb,                       -- what an element is about
    input     jsonb,                       -- its words, every reference filled in
    output    jsonb,
    memo      jsonb,                       -- what it is waiting for, between two looks
    PRIMARY KEY (run, step, element)
);

-- The last slot of ad hoc polls by (job, device): two polls are never of one slot.
CREATE TABLE workflow_slots (
    job    text NOT NULL,
    device text NOT NULL,
    slot   bigint NOT NULL,
    PRIMARY KEY (job, device)
);

-- What workflows keep of devices, each version that differs from the one before. Secrets in it are masked.
CREATE TABLE configs (
    device  text NOT NULL,
    name    text NOT NULL,                 -- running-config, proposal …
    version integer NOT NULL,              -- from 1
    at      timestamptz NOT NULL DEFAULT now(),
    run     text NOT NULL,
    diff    text NOT NULL,                 -- unified, from the version before; '' for the first
    text    text NOT NULL,
    PRIMARY KEY (device, name, version)
);
