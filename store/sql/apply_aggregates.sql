-- apply_aggregates: adds what a batch of appends holds of each aggregate. Nothing depends on the order of events: sums,
-- least, greatest, unions. $1 organisations, $2 types, $3 ids, $4 events, $5 first and $6 last times, $7 versions and $8 those
-- that occur twice in the batch
insert into audit.aggregates as a
    (organization_id, aggregate_type, aggregate_id, event_count, first_time, last_time, versions, double_versions)
select n.organization_id, n.aggregate_type, n.aggregate_id, n.event_count, n.first_time, n.last_time,
       n.versions::int8multirange, n.double_versions::int8multirange
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[])
    as n (organization_id, aggregate_type, aggregate_id, event_count, first_time, last_time, versions, double_versions)
on conflict (organization_id, aggregate_type, aggregate_id) do update
set event_count = a.event_count + excluded.event_count,
    first_time = least(a.first_time, excluded.first_time),
    last_time = greatest(a.last_time, excluded.last_time),
    double_versions = a.double_versions + excluded.double_versions + (a.versions * excluded.versions),
    versions = a.versions + excluded.versions
