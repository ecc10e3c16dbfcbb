-- stray_logs: positions that are not where the log's appends end
select format('%s/%s/%s', l.topic, l."partition", l.incarnation),
       format('next_offset is %s, its appends end at %s', l.next_offset, reached.next_offset)
from audit.logs l
cross join lateral (select coalesce(max(a.next_offset), 0) as next_offset from audit.appends a where a.log_id = l.log_id) reached
where l.next_offset <> reached.next_offset
order by l.log_id
limit 10
