-- release_submission: the attempt has ended without success; the next may begin. $1 caller, $2 key, $3 the attempt's end
update audit.submissions
set attempt_until = clock_timestamp()
where caller = $1 and idempotency_key = $2 and attempt_until = $3 and finished_at is null
