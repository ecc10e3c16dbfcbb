-- months: whether every event finds its partition, now and in the months to come, and what this month weighs
with ranges as (
    select c.oid, c.relname, pg_get_expr(c.relpartbound, c.oid) as bound, i.inhdetachpending as is_leaving
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit.events'::regclass
), leaves as (
    select c.oid, c.relname, pg_get_expr(c.relpartbound, c.oid) as bound, i.inhdetachpending as is_leaving, r.oid as within
    from ranges r join pg_inherits i on i.inhparent = r.oid join pg_class c on c.oid = i.inhrelid
)
select
    (select count(*) from ranges where relname ~ '^events_[0-9]{4}_[0-9]{2}$'),
    (select max(relname::text) from ranges where relname ~ '^events_[0-9]{4}_[0-9]{2}$'),
    -- ensure_month takes a table of the month's name for the month, so one that is not attached stops its events for good.
    (select min(t.name)
     from (select c.relname::text as name from pg_class c
           where c.relnamespace = 'audit'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
             and c.relname ~ '^events_[0-9]{4}_[0-9]{2}(_|$)'
           union all select relname::text from ranges where is_leaving
           union all select relname::text from leaves where is_leaving) t),
    (select min(r.relname || '_' || k.name)
     from ranges r cross join audit.retention_classes k
     where not exists (select from leaves l where l.within = r.oid and l.bound = format('FOR VALUES IN (%L)', k.name))),
    (select min(t.relname::text)
     from (select relname, bound from ranges union all select relname, bound from leaves) t
     where t.bound = 'DEFAULT'),
    has_function_privilege('audit_ingestor', 'audit.ensure_month(date)', 'execute'),
    (select coalesce(sum(pg_total_relation_size(l.oid)), 0)::bigint
     from ranges r join leaves l on l.within = r.oid
     where r.relname = 'events_' || to_char(now() at time zone 'UTC', 'YYYY_MM')),
    extract(day from now() at time zone 'UTC')::int
