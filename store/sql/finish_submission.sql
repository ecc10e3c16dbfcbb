-- finish_submission: Kafka has acknowledged all. $1 caller, $2 key, $3 event ids, $4 partitions, $5 offsets
update audit.submissions
set finished_at = clock_timestamp(), partitions = $4, offsets = $5
where caller = $1 and idempotency_key = $2 and event_ids = $3 and finished_at is null
