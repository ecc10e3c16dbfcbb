-- apply_statistics_days: adds what a batch of appends holds of each series and day. $1 series, $2 days, $3 events
insert into audit.statistics_days as c (series_id, "day", event_count)
select * from unnest($1::uuid[], $2::timestamptz[], $3::bigint[])
on conflict (series_id, "day") do update set event_count = c.event_count + excluded.event_count
