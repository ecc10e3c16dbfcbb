-- valid_indexes: the indexes of events that every partition has, whole
select c.relname::text, substring(pg_catalog.pg_get_indexdef(c.oid) from ' (USING .*)$')
from pg_catalog.pg_index x
join pg_catalog.pg_class c on c.oid = x.indexrelid
where x.indrelid = 'audit.events'::regclass and x.indisvalid
