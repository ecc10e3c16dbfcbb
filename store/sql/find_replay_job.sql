-- find_replay_job: $1 job, $2 organisation or null for any
select job_id, topic, filter, organization_id, rate, state, runner is not null and lease_until > clock_timestamp(), created_at,
       created_by, updated_at, ended_at, reached_append, until_append, last_log_id, last_offset, sent, sent_bytes, expected,
       expectation, (sent - run_sent_before) / nullif(extract(epoch from updated_at - run_started_at), 0)::float8, trouble
from audit.replay_jobs
where job_id = $1 and ($2::text is null or organization_id = $2)
