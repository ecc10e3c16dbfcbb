-- When the first batch was taken in and the last committed, what the indexes take, what the roots take.
select
    (select sum(stored)::bigint from audit.appends) as stored,
    (select extract(epoch from max(pg_xact_commit_timestamp(xmin)) - min(recorded_at))::float8
     from audit.appends) as seconds,
    (select sum(pg_relation_size(i.indexrelid))::bigint
     from (select relid from pg_partition_tree('audit.events')
           union all
           select relid from pg_partition_tree('audit.event_ids')) t
     join pg_index i on i.indrelid = t.relid)
    + (select sum(pg_relation_size(relid))::bigint from pg_partition_tree('audit.event_ids')) as index_bytes,
    (select sum(pg_column_size(batch_root))::bigint from audit.appends) as root_bytes
