-- find_submission: $1 caller, $2 key, $3 lifetime in seconds
select body_digest, event_ids, partitions, offsets,
       extract(epoch from attempt_until - clock_timestamp())::float8
from audit.submissions
where caller = $1 and idempotency_key = $2 and started_at >= clock_timestamp() - $3::float8 * interval '1 second'
