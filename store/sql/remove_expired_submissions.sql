-- remove_expired_submissions: some of those whose lifetime is over. $1 lifetime in seconds, $2 how many at most
delete from audit.submissions s
using (
    select caller, idempotency_key
    from audit.submissions
    where started_at < clock_timestamp() - $1::float8 * interval '1 second'
    order by started_at
    limit $2
    for update skip locked
) expired
where s.caller = expired.caller and s.idempotency_key = expired.idempotency_key
