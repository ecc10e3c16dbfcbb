-- find_ids: which ids are stored, and where. $1 ids
select i.event_id, i."timestamp", i.log_id, i."offset"
from unnest($1::uuid[]) as wanted (event_id)
join audit.event_ids i on i.event_id = wanted.event_id
