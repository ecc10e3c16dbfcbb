-- verify_dispositions: what is no event, in offset order. $1 log, $2 from, $3 next
select from_offset, next_offset, kind, event_id, reason
from audit.dispositions
where log_id = $1 and from_offset >= $2 and from_offset < $3
order by from_offset
