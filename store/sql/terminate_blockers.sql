-- terminate_blockers: ends sessions of this role that block a backend and wait for nobody. $1 backend, $2 seconds
with holders as materialized (
    select h.pid
    from unnest(pg_blocking_pids($1)) as b (pid)
    join pg_stat_activity h on h.pid = b.pid
    where h.usename = current_user
      and h.xact_start < clock_timestamp() - make_interval(secs => $2)
      and cardinality(pg_blocking_pids(h.pid)) = 0
)
select pid from holders where pg_terminate_backend(pid)
