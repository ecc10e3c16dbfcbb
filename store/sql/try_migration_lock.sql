-- try_migration_lock: $1 the lock's number
select pg_try_advisory_lock($1)
