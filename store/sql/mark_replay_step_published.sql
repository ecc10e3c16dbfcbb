-- mark_replay_step_published: $1 job, $2 version
update audit.replay_steps
set published_at = clock_timestamp()
where job_id = $1 and version = $2 and published_at is null
