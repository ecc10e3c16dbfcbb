-- open_positions: where each log that is still read stands. $1 cluster
select topic, "partition", next_offset from audit.logs where cluster = $1 and closed_at is null order by topic, "partition"
