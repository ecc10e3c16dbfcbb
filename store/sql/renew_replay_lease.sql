-- renew_replay_lease: the state; no row = somebody else works on it. $1 job, $2 runner, $3 lease in seconds, $4 trouble or null
update audit.replay_jobs
set lease_until = clock_timestamp() + $3::float8 * interval '1 second', trouble = $4, updated_at = clock_timestamp()
where job_id = $1 and runner = $2
returning state
