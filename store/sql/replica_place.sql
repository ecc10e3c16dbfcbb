-- replica_place: how far this server has come: the newest append, the place in the write-ahead log, whether it is a standby
select
    (select coalesce(max(append_no), 0) from audit.appends),
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text,
    pg_is_in_recovery()
