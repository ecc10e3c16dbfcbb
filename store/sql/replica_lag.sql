-- replica_lag: what a server at append $1 and WAL place $2 has not yet: appends, microseconds since the first of them was
-- recorded, bytes of WAL (null = unknown)
select
    greatest(h.head - $1, 0),
    (select (extract(epoch from clock_timestamp() - a.recorded_at) * 1000000)::bigint
     from audit.appends a where a.append_no = $1 + 1),
    greatest(pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, $2::text::pg_lsn), 0)::bigint
from (select coalesce(max(append_no), 0) as head from audit.appends) h
