-- wear: what grows until somebody tidies up: transaction numbers, connections, dead rows; and rows of evidence that were changed
with tables as (
    select s.relname::text as name, s.n_live_tup as live, s.n_dead_tup as dead, s.n_tup_upd + s.n_tup_del as changed,
           s.relid in (select relid::oid from pg_partition_tree('audit.events') union all select relid::oid from pg_partition_tree('audit.event_ids')
                       union all values ('audit.appends'::regclass::oid), ('audit.dispositions'::regclass::oid)) as is_evidence
    from pg_stat_all_tables s
    where s.schemaname = 'audit'
), changed as (
    select name, changed from tables where is_evidence and changed > 0 order by changed desc limit 1
), dead as (
    select name, dead from tables where dead > 100000 and dead > live / 2 order by dead desc limit 1
)
select age(d.datfrozenxid), mxid_age(d.datminmxid), current_setting('autovacuum') = 'on',
       (select sum(numbackends)::bigint from pg_stat_database), current_setting('max_connections')::int,
       c.name, c.changed, e.name, e.dead
from pg_database d left join changed c on true left join dead e on true
where d.datname = current_database()
