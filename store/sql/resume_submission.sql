-- resume_submission: no row = somebody else is at it. $1 caller, $2 key, $3 body digest, $4 event ids, $5 attempt in seconds
update audit.submissions
set attempt_until = clock_timestamp() + $5::float8 * interval '1 second'
where caller = $1 and idempotency_key = $2 and body_digest = $3 and event_ids = $4
  and finished_at is null and attempt_until <= clock_timestamp()
returning attempt_until
