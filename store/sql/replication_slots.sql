-- replication_slots: who keeps the server from recycling its write-ahead log, and how much of it; base backups' own are left out
select s.slot_name::text, s.active, s.wal_status,
       pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
                       s.restart_lsn)::bigint,
       current_setting('max_slot_wal_keep_size')
from pg_replication_slots s
where not s.temporary
order by s.slot_name
