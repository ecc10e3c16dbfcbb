-- release_replay_job: another may take it at once. $1 job, $2 runner
update audit.replay_jobs
set runner = null, lease_until = null
where job_id = $1 and runner = $2
