-- caused_by: what any of these ids caused, oldest first, without payloads. OFFSET 0 keeps the order out of the look-up. $1 ids, $2 organisation or null, $3 rows, $4 a type left out
select e.event_id, e.event_type, e.aggregate_type, e.aggregate_id, e.organization_id, e.user_id, e.source, e.action, e.correlation_id,
       e.causation_id, e."timestamp", e.version, e.recorded_at, e.log_id, e."offset"
from (
    select *
    from audit.events_visible v
    where v.causation_id = any($1) and v.causation_id <> '' and v.aggregate_type <> $4
      and ($2::text is null or v.organization_id = $2)
    offset 0
) e
order by e."timestamp", e.log_id, e."offset"
limit $3
