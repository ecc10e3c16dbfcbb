-- unpublished_replay_steps: the oldest that are no events yet, of steps that are in no doubt. $1 how many
select s.event_id, s.job_id, s.version, s.step, s.by_whom, s.at, s.sent, s.detail, j.topic, j.filter, j.organization_id, j.rate,
       j.expected
from audit.replay_steps s
join audit.replay_jobs j using (job_id)
where s.published_at is null
order by s.at, s.job_id, s.version
limit $1
