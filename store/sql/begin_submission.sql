-- begin_submission: no row = the key is taken. $1 caller, $2 key, $3 body digest, $4 event ids, $5 attempt in seconds
insert into audit.submissions (caller, idempotency_key, body_digest, event_ids, attempt_until)
values ($1, $2, $3, $4, clock_timestamp() + $5::float8 * interval '1 second')
on conflict do nothing
returning attempt_until
