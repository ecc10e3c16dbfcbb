-- locate: the append that covers an offset. $1 log, $2 offset
select append_no
from audit.appends
where log_id = $1 and next_offset > $2
order by next_offset
limit 1
