-- projector_events: the rows of these appends. $1 numbers, $2 logs, $3 first and $4 next offsets, $5 least and $6 greatest
-- times. ORDER BY inside, where no sort is allowed, makes it a nested loop over the order index, pruned to the append's own
-- months.
select a.append_no, e.log_id, e."offset", e.event_id, e."timestamp", e.version, e.organization_id, e.aggregate_type,
    e.aggregate_id, e.event_type, e.user_id, e.payload, e.metadata, e.source, e.action
from unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
    as a (append_no, log_id, from_offset, next_offset, min_time, max_time)
cross join lateral (
    select * from audit.events e
    where e.log_id = a.log_id and e."offset" >= a.from_offset and e."offset" < a.next_offset
      and e."timestamp" >= a.min_time and e."timestamp" <= a.max_time
    order by e."offset"
    offset 0
) e
