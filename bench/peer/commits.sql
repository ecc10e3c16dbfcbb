-- What the commits that filled the peer's table say: rows a second after the first of them, the same over the second half of
-- the rows, rows a commit; and the bytes of its indexes.
with commits as (
    select pg_xact_commit_timestamp(xmin) as at, count(*) as rows
    from audit_events
    group by xmin
), running as (
    select at, rows, sum(rows) over (order by at) as so_far, sum(rows) over () as total,
           row_number() over (order by at) as number
    from commits
), half as (
    -- The commit with which half of the rows are there.
    select at, so_far from running where so_far * 2 >= total order by at limit 1
)
select
    max(total)::bigint as rows,
    ((max(total) - min(rows) filter (where number = 1)) / extract(epoch from max(at) - min(at)))::float8 as rate,
    (select ((max(r.total) - h.so_far) / extract(epoch from max(r.at) - h.at))::float8
     from running r, half h group by h.so_far, h.at) as warm_rate,
    avg(rows)::float8 as rows_per_commit,
    pg_indexes_size('audit_events')::bigint as index_bytes
from running
