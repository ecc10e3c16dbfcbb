-- verify_events: the events of a log in offset order, each with whether its id has its place. $1 log, $2 from, $3 next
select e."timestamp", e.recorded_at, e.log_id, e."offset", e.version, e.event_id, e.event_type, e.aggregate_id, e.aggregate_type,
       e.payload, e.metadata, e.retention_class, e.organization_id, e.user_id, e.correlation_id, e.causation_id, e.source, e.action,
       coalesce((
           select i."timestamp" = e."timestamp" and i.log_id = e.log_id and i."offset" = e."offset"
           from audit.event_ids i
           where i.event_id = e.event_id
       ), false)
from audit.events e
where e.log_id = $1 and e."offset" >= $2 and e."offset" < $3
order by e."offset"
