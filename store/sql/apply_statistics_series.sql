-- apply_statistics_series: what is counted for the first time. $1 ids, $2 organisations, $3 aggregate types, $4 event types,
-- $5 sources, $6 actions, $7 outcomes, $8 users
insert into audit.statistics_series
    (series_id, organization_id, aggregate_type, event_type, source, action, outcome, user_id)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
on conflict (series_id) do nothing
