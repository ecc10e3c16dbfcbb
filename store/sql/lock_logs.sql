-- lock_logs: locks the logs of a batch in their order; the time comes after the lock, so that no later batch of a log
-- is recorded earlier. $1 logs
with locked as materialized (
    select log_id, next_offset, last_recorded_at
    from audit.logs
    where log_id = any($1) and closed_at is null
    order by log_id
    for update
)
select log_id, next_offset, greatest(last_recorded_at, clock_timestamp()) from locked
