-- mark_published: the relay has handed these to Kafka. $1 logs, $2 offsets
update audit.dead_letters d
set published_at = clock_timestamp()
from unnest($1::int[], $2::bigint[]) as done (log_id, "offset")
where d.log_id = done.log_id and d."offset" = done."offset" and d.published_at is null
