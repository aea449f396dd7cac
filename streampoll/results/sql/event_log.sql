-- name: events
-- Events, those last changed first; $1 those changed after, $2 only open ones, $3 device, $4 rule, $5 least severity,
-- $6 site, $7 how many. Texts that are '' fit all.
SELECT id, rule, device, "row", severity, labels::text AS labels, extract(epoch FROM opened)::bigint AS opened,
    extract(epoch FROM updated)::bigint AS updated, extract(epoch FROM closed)::bigint AS closed,
    extract(epoch FROM acknowledged_at)::bigint AS acknowledged_at, acknowledged_by, acknowledged_note, value, text,
    suppressed
FROM events
WHERE updated >= to_timestamp($1::bigint) AND (NOT $2::boolean OR closed IS NULL) AND ($3 = '' OR device = $3)
    AND ($4 = '' OR rule = $4) AND severity >= $5 AND ($6 = '' OR labels ->> 'site' = $6)
ORDER BY updated DESC, id
LIMIT $7

-- name: event
-- One event.
SELECT id, rule, device, "row", severity, labels::text AS labels, extract(epoch FROM opened)::bigint AS opened,
    extract(epoch FROM updated)::bigint AS updated, extract(epoch FROM closed)::bigint AS closed,
    extract(epoch FROM acknowledged_at)::bigint AS acknowledged_at, acknowledged_by, acknowledged_note, value, text,
    suppressed
FROM events WHERE id = $1

-- name: acknowledge
-- Somebody has an open event in hand; who was first stays. Answers its id if this was the first.
UPDATE events SET acknowledged_at = now(), acknowledged_by = $2, acknowledged_note = $3
WHERE id = $1 AND closed IS NULL AND acknowledged_at IS NULL
RETURNING id

-- name: windows
-- Maintenance windows that are not over; one that was ended before it began has no length.
SELECT id, extract(epoch FROM since)::bigint AS since, extract(epoch FROM until)::bigint AS until,
    selector::text AS selector, by, reason
FROM maintenance WHERE until > now() AND until > since ORDER BY since, id

-- name: add_window
-- A new one; answers its number.
INSERT INTO maintenance (since, until, selector, by, reason)
VALUES (to_timestamp($1::bigint), to_timestamp($2::bigint), $3::jsonb, $4, $5) RETURNING id

-- name: end_window
-- End one now; answers its number if it was not over.
UPDATE maintenance SET until = greatest(since, now()) WHERE id = $1 AND until > now() RETURNING id
