-- replay_size_logs: which offsets of which logs the appends of a replay cover, and how many events they stored. $1 first append,
-- $2 last append
select log_id, min(from_offset), max(next_offset), sum(stored)::bigint
from audit.appends
where append_no between $1 and $2
group by log_id
