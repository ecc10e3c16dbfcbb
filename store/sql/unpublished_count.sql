-- unpublished_count: how many dead letters wait for the relay, and since when
select count(*), min(recorded_at) from audit.dead_letters where published_at is null
