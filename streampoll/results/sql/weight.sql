-- name: payloads
-- The mean size of recent rows' payloads, of a sample; null where there are none.
SELECT avg(octet_length(payload))::float8 AS bytes
FROM (SELECT payload FROM polls WHERE slot > now() - interval '15 minutes' LIMIT 2000) AS recent

-- name: log_position
-- How many bytes of write-ahead log were ever written; null on a standby.
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 END AS bytes
