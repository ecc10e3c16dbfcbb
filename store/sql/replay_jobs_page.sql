-- replay_jobs_page: newest first. $1 organisation or null for any, $2 state or null for any, $3 and $4 the last one of the page
-- before, or null, $5 how many
select job_id, topic, filter, organization_id, rate, state, runner is not null and lease_until > clock_timestamp(), created_at,
       created_by, updated_at, ended_at, reached_append, until_append, last_log_id, last_offset, sent, sent_bytes, expected,
       expectation, (sent - run_sent_before) / nullif(extract(epoch from updated_at - run_started_at), 0)::float8, trouble
from audit.replay_jobs
where ($1::text is null or organization_id = $1)
  and ($2::text is null or state = $2)
  and ($3::timestamptz is null or (created_at, job_id) < ($3, $4::uuid))
order by created_at desc, job_id desc
limit $5
