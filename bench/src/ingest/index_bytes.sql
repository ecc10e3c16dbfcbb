-- The bytes of each index over all its partitions, and of the ids' heap.
select pg_partition_root(i.indexrelid)::regclass::text, sum(pg_relation_size(i.indexrelid))::bigint
from (select relid from pg_partition_tree('audit.events')
      union all
      select relid from pg_partition_tree('audit.event_ids')) t
join pg_index i on i.indrelid = t.relid
group by 1
union all
select 'audit.event_ids (heap)', sum(pg_relation_size(relid))::bigint from pg_partition_tree('audit.event_ids')
order by 1
