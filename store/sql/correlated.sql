-- correlated: the events of a correlation id, oldest first, without payloads. OFFSET 0 keeps the order out of the look-up. $1 id, $2 organisation or null, $3 rows, $4 a type left out
select e.event_id, e.event_type, e.aggregate_type, e.aggregate_id, e.organization_id, e.user_id, e.source, e.action, e.correlation_id,
       e.causation_id, e."timestamp", e.version, e.recorded_at, e.log_id, e."offset"
from (
    select *
    from audit.events_visible v
    where v.correlation_id = $1 and v.correlation_id <> '' and v.aggregate_type <> $4
      and ($2::text is null or v.organization_id = $2)
    offset 0
) e
order by e."timestamp", e.log_id, e."offset"
limit $3
