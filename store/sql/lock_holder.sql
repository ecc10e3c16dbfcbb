-- lock_holder: the session with the longest transaction that holds a lock on events or a part of them, but this one
select a.pid, coalesce(a.usename, '')::text, coalesce(a.application_name, '')
from pg_catalog.pg_locks l
join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.granted
  and l.pid <> pg_catalog.pg_backend_pid()
  and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
  and l.relation in (select t.relid from pg_catalog.pg_partition_tree('audit.events'::regclass) t)
order by a.xact_start nulls first
limit 1
