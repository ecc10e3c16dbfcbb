-- stored_events: events by their places. LIMIT keeps the look-up a nested loop, which opens one partition a row.
-- $1 times, $2 logs, $3 offsets
select e.*
from unnest($1::timestamptz[], $2::int[], $3::bigint[]) as place ("timestamp", log_id, "offset")
cross join lateral (
    select s."timestamp", s.recorded_at, s.log_id, s."offset", s.version, s.event_id, s.event_type, s.aggregate_id, s.aggregate_type,
           s.payload, s.metadata, s.retention_class, s.organization_id, s.user_id, s.correlation_id, s.causation_id, s.source, s.action
    from audit.events s
    where s."timestamp" = place."timestamp" and s.log_id = place.log_id and s."offset" = place."offset"
    limit 1
) e
