-- create_replay_job: with its first step; no row = too many are open. $1 job, $2 topic, $3 filter, $4 organisation or null, $5 rate,
-- $6 append and $7 offset behind which it begins, $8 its last append, $9 expected events, $10 how exactly, $11 by whom,
-- $12 the step's event, $13 how many may be open
with job as (
    insert into audit.replay_jobs (job_id, topic, filter, organization_id, rate, reached_append, reached_offset, until_append,
                                   expected, expectation, created_by)
    select $1::uuid, $2::text, $3::text, $4::text, $5::int, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::text, $11::text
    where (select count(*) from audit.replay_jobs where ended_at is null) < $13::bigint
    returning job_id, version, created_by
)
insert into audit.replay_steps (job_id, version, step, event_id, by_whom, sent)
select job_id, version, 'started', $12::uuid, created_by, 0 from job
returning job_id
