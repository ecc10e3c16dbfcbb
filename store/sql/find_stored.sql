-- find_stored: the event at a position; its append says in which months it can be. $1 log, $2 offset, $3 organisation or null
select e."timestamp", e.recorded_at, e.log_id, e."offset", e.version, e.event_id, e.event_type, e.aggregate_id, e.aggregate_type,
       e.payload, e.metadata, e.retention_class, e.organization_id, e.user_id, e.correlation_id, e.causation_id, e.source, e.action
from (
    select *
    from audit.appends
    where log_id = $1 and next_offset > $2
    order by next_offset
    limit 1
) a
cross join lateral (
    select *
    from audit.events_visible v
    where v.log_id = $1 and v."offset" = $2 and v."timestamp" >= a.min_time and v."timestamp" <= a.max_time
    limit 1
) e
where $3::text is null or e.organization_id = $3
