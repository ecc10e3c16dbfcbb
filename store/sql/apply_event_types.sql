-- apply_event_types: adds what a batch of appends holds of each type. $1 types, $2 organisations, $3 events, $4 first and $5
-- last times
insert into audit.event_types as t (event_type, organization_id, event_count, first_time, last_time)
select n.event_type, n.organization_id, n.event_count, n.first_time, n.last_time
from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])
    as n (event_type, organization_id, event_count, first_time, last_time)
on conflict (event_type, organization_id) do update
set event_count = t.event_count + excluded.event_count,
    first_time = least(t.first_time, excluded.first_time),
    last_time = greatest(t.last_time, excluded.last_time)
