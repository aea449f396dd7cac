-- name: lock_events
-- Changes of events are stored by one transaction at a time: two might open one event each on the same row.
SELECT pg_advisory_xact_lock(1399848963)

-- name: close_earlier
-- An event that opens says that the one before it on the same row is over, though its end was not heard yet.
UPDATE events AS stored SET closed = to_timestamp(given.opened), updated = greatest(stored.updated, to_timestamp(given.opened))
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) AS given (id, opened, rule, device, "row")
WHERE stored.closed IS NULL AND stored.rule = given.rule AND stored.device = given.device AND stored.row = given.row
    AND stored.id <> given.id AND stored.opened <= to_timestamp(given.opened)

-- name: upsert_events
-- One row an event, its changes folded into one. What is stored and newer stays; closed and acknowledged stay so. One that
-- is older than the open one on its row was over when that began.
INSERT INTO events AS stored
    (id, rule, device, row, severity, labels, opened, updated, closed, acknowledged_at, value, text, suppressed)
SELECT given.id, given.rule, given.device, given.row, given.severity, given.labels::jsonb, to_timestamp(given.opened),
    to_timestamp(given.updated), coalesce(to_timestamp(given.closed), later.opened), to_timestamp(acknowledged), given.value,
    given.text, given.suppressed
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::double precision[], $12::text[], $13::text[])
    AS given (id, rule, device, "row", severity, labels, opened, updated, closed, acknowledged, value, text, suppressed)
LEFT JOIN events later ON later.closed IS NULL AND later.rule = given.rule AND later.device = given.device
    AND later.row = given.row AND later.id <> given.id
ON CONFLICT (id) DO UPDATE SET
    severity = CASE WHEN excluded.updated >= stored.updated THEN excluded.severity ELSE stored.severity END,
    labels = CASE WHEN excluded.updated >= stored.updated THEN excluded.labels ELSE stored.labels END,
    value = CASE WHEN excluded.updated >= stored.updated THEN excluded.value ELSE stored.value END,
    text = CASE WHEN excluded.updated >= stored.updated THEN excluded.text ELSE stored.text END,
    suppressed = CASE WHEN excluded.updated >= stored.updated THEN excluded.suppressed ELSE stored.suppressed END,
    closed = least(stored.closed, excluded.closed),
    acknowledged_at = coalesce(stored.acknowledged_at, excluded.acknowledged_at),
    updated = greatest(stored.updated, excluded.updated)
