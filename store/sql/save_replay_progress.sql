-- save_replay_progress: Kafka has everything up to here; the state, no row = somebody else works on it. $1 job, $2 runner,
-- $3 lease in seconds, $4 append, $5 offset, $6 log and $7 offset of the last event sent, $8 events and $9 bytes sent so far
update audit.replay_jobs
set reached_append = $4, reached_offset = $5, last_log_id = coalesce($6, last_log_id), last_offset = coalesce($7, last_offset),
    sent = $8, sent_bytes = $9, trouble = null, updated_at = clock_timestamp(),
    lease_until = clock_timestamp() + $3::float8 * interval '1 second'
where job_id = $1 and runner = $2
returning state
