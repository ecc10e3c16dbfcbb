-- remove_submission_if_expired: a key is free again after its lifetime. $1 caller, $2 key, $3 lifetime in seconds
delete from audit.submissions
where caller = $1 and idempotency_key = $2 and started_at < clock_timestamp() - $3::float8 * interval '1 second'
