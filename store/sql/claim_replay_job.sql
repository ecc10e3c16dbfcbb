-- claim_replay_job: the oldest that nobody works on; no row = there is none. $1 runner, $2 lease in seconds
update audit.replay_jobs j
set runner = $1::uuid, lease_until = clock_timestamp() + $2::float8 * interval '1 second',
    run_started_at = clock_timestamp(), run_sent_before = j.sent
from (
    select job_id
    from audit.replay_jobs
    where ended_at is null and state = 'running' and (runner is null or lease_until <= clock_timestamp())
    order by created_at, job_id
    limit 1
    for update skip locked
) free
where j.job_id = free.job_id
returning j.job_id, j.topic, j.filter, j.organization_id, j.rate, j.reached_append, j.reached_offset, j.until_append, j.sent,
          j.sent_bytes
