-- index_tree: the tables of events, outside in, with their indexes, a row for each. $1 one table's name, null = all
select
    c.relname::text,
    p.relname::text,
    t.isleaf,
    pg_catalog.pg_relation_size(c.oid),
    i.relname::text,
    x.indisvalid,
    -- Behind the names of index and table, the definition reads the same on every level.
    substring(pg_catalog.pg_get_indexdef(x.indexrelid) from ' (USING .*)$'),
    up.relname::text,
    pg_catalog.pg_relation_size(x.indexrelid)
from pg_catalog.pg_partition_tree('audit.events'::regclass) t
join pg_catalog.pg_class c on c.oid = t.relid
left join pg_catalog.pg_class p on p.oid = t.parentrelid
left join pg_catalog.pg_index x on x.indrelid = t.relid
left join pg_catalog.pg_class i on i.oid = x.indexrelid
left join pg_catalog.pg_inherits h on h.inhrelid = x.indexrelid
left join pg_catalog.pg_class up on up.oid = h.inhparent
where $1::text is null or c.relname = $1
order by t.level, c.relname, i.relname
