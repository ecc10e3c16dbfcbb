-- Partitions of events on demand. CREATE TABLE … PARTITION OF waits behind every reader, and every insert waits behind
-- it; a month made aside and then attached does not. ensure_month is the only DDL that a service may call.

-- Where months start; everything before is in one partition.
create function audit.floor_month() returns date
language sql immutable parallel safe as $$ select date '2000-01-01' $$;

-- A leaf for one class, not yet attached, with its TRUNCATE guard; the row guard comes with ATTACH.
create function audit.make_leaf(range_name text, class text) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    leaf text := range_name || '_' || class;
begin
    execute format('create table audit.%I (like audit.events including compression including storage)', leaf);
    perform audit.guard_truncate(leaf);
    return leaf;
end $$;

-- One range of time with a leaf for every class; `low` null = from the beginning of time.
create function audit.make_range(range_name text, low timestamptz, high timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' as $$
declare
    class text;
    within text := format('"timestamp" < %L', high);
begin
    if low is not null then
        within := within || format(' and "timestamp" >= %L', low);
    end if;
    execute format('create table audit.%I (like audit.events including compression including storage) partition by list (retention_class)', range_name);
    perform audit.guard_truncate(range_name);
    for class in select name from audit.retention_classes order by name loop
        execute format('alter table audit.%I attach partition audit.%I for values in (%L)',
            range_name, audit.make_leaf(range_name, class), class);
    end loop;
    -- With the check in place ATTACH has nothing to scan.
    execute format('alter table audit.%I add constraint within check (%s)', range_name, within);
    execute format('alter table audit.events attach partition audit.%I for values from (%s) to (%L)',
        range_name, coalesce(quote_literal(low), 'minvalue'), high);
    execute format('alter table audit.%I drop constraint within', range_name);
end $$;

-- One maker of partitions at a time; the number only has to be ours.
create function audit.lock_partitions() returns void
language sql set search_path = pg_catalog, pg_temp as $$ select pg_advisory_xact_lock(7202653104710947) $$;

create function audit.month_name(month date) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$ select 'events_' || to_char(month, 'YYYY_MM') $$;

-- Makes the partitions of the month that holds this day; answers whether there was anything to do.
create function audit.ensure_month(month date) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
    low timestamptz := date_trunc('month', month::timestamp) at time zone 'UTC';
    high timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') at time zone 'UTC';
    name text := audit.month_name(date_trunc('month', month::timestamp)::date);
begin
    if month < audit.floor_month() then
        raise exception 'months before % have one partition together, which exists', audit.floor_month()
            using errcode = 'AT002';
    end if;
    if low > now() + interval '2 months' then
        raise exception 'the month of % is more than two months ahead', month using errcode = 'AT002';
    end if;
    if to_regclass(format('audit.%I', name)) is not null then
        return false;
    end if;
    perform audit.lock_partitions();
    -- Somebody else may have made it while this call waited. A plain query sees it; to_regclass may answer from a cache
    -- that an advisory lock does not bring up to date.
    if exists (select from pg_class c where c.relname = name and c.relnamespace = 'audit'::regnamespace) then
        return false;
    end if;
    perform audit.make_range(name, low, high);
    return true;
end $$;

-- Gives a class its partition in every range that exists; answers whether the class is new. For `migrate` alone.
create function audit.ensure_class(class text, keep_for text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    range_name text;
    is_new boolean;
begin
    perform audit.lock_partitions();
    insert into audit.retention_classes (name, keep) values (class, keep_for::interval) on conflict do nothing;
    is_new := found;
    update audit.retention_classes c set keep = keep_for::interval
    where c.name = class and c.keep is distinct from keep_for::interval;
    for range_name in
        select c.relname
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'audit.events'::regclass
        order by c.relname
    loop
        -- A plain query: to_regclass may answer from before the lock.
        if not exists (select from pg_class c where c.relname = range_name || '_' || class and c.relnamespace = 'audit'::regnamespace) then
            execute format('alter table audit.%I attach partition audit.%I for values in (%L)',
                range_name, audit.make_leaf(range_name, class), class);
        end if;
    end loop;
    return is_new;
end $$;

select audit.make_range('events_before_' || to_char(audit.floor_month(), 'YYYY_MM'), null,
    audit.floor_month()::timestamp at time zone 'UTC');
