-- verify_appends: the account of a log in offset order. $1 log, $2 from offset, $3 head, $4 limit
select append_no, from_offset, next_offset, stored, duplicate, dead_lettered, skipped, min_time, max_time, recorded_at,
       batch_root
from audit.appends
where log_id = $1 and next_offset > $2 and append_no <= $3
order by next_offset
limit $4
