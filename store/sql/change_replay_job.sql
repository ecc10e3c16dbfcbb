-- change_replay_job: to another state, with the step that says so; no row = it is not there, or in none of these states. $1 job,
-- $2 organisation or null for any, $3 states it may be in, $4 new state, $5 whether that is its end, $6 runner or null for any,
-- $7 step, $8 the step's event, $9 by whom, null = whoever created it, $10 detail
with job as (
    update audit.replay_jobs
    set state = $4::text, version = version + 1, updated_at = clock_timestamp(),
        ended_at = case when $5::boolean then clock_timestamp() end,
        trouble = nullif($10::text, ''),
        -- A job that waits for its resumption, or has ended, is nobody's; one that is told to pause is still its runner's.
        runner = case when $6::uuid is null then runner end,
        lease_until = case when $6::uuid is null then lease_until end
    where job_id = $1 and ($2::text is null or organization_id = $2) and state = any($3::text[])
      and ($6::uuid is null or runner = $6::uuid)
    returning job_id, version, created_by, sent
)
insert into audit.replay_steps (job_id, version, step, event_id, by_whom, sent, detail)
select job_id, version, $7::text, $8::uuid, coalesce($9::text, created_by), sent, $10::text from job
returning version
