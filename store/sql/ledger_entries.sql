-- ledger_entries: append entries by number. $1 after, $2 up to, $3 limit
select a.append_no, l.cluster, l.topic, l."partition", l.incarnation, a.from_offset, a.next_offset,
       a.stored, a.duplicate, a.dead_lettered, a.skipped, a.batch_root, a.recorded_at
from audit.appends a
join audit.logs l using (log_id)
where a.append_no > $1 and a.append_no <= $2
order by a.append_no
limit $3
