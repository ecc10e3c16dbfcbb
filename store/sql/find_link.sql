-- find_link: the event of an id without its payload, through the view. $1 id, $2 organisation or null
select e.event_id, e.event_type, e.aggregate_type, e.aggregate_id, e.organization_id, e.user_id, e.source, e.action, e.correlation_id,
       e.causation_id, e."timestamp", e.version, e.recorded_at, e.log_id, e."offset"
from audit.event_ids i
cross join lateral (
    select *
    from audit.events_visible v
    where v."timestamp" = i."timestamp" and v.log_id = i.log_id and v."offset" = i."offset"
    limit 1
) e
where i.event_id = $1 and ($2::text is null or e.organization_id = $2)
