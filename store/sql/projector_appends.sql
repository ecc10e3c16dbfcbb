-- projector_appends: the next appends in number order. $1 after, $2 up to, $3 limit
select append_no, log_id, from_offset, next_offset, min_time, max_time, stored
from audit.appends
where append_no > $1 and append_no <= $2
order by append_no
limit $3
