-- apply_statistics_hours: adds what a batch of appends holds of each series and hour. $1 series, $2 hours, $3 events
insert into audit.statistics_hours as c (series_id, "hour", event_count)
select * from unnest($1::uuid[], $2::timestamptz[], $3::bigint[])
on conflict (series_id, "hour") do update set event_count = c.event_count + excluded.event_count
