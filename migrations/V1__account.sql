-- The account (semantics.md 4, 5): logs and their positions, the appends in number order, what became of every offset
-- that is no event, the dead letters with their outbox, copies of writer schemas, and the guards that keep all of it.
-- Runs as audit_owner with search_path = audit; names are written in full so that the file says what it does.

comment on schema audit is 'The audit trail: see docs/operating.md of the project; every table but logs, append_head and dead_letters.published_at is insert-only.';

-- Guards ------------------------------------------------------------------------------------------------------------

create function audit.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, tg_op
        using errcode = 'AT001';
end $$;

-- ENABLE ALWAYS: session_replication_role = replica must not switch a guard off.
create function audit.guard_table(table_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('create trigger guard_rows before update or delete on audit.%I for each row execute function audit.refuse_change()', table_name);
    execute format('alter table audit.%I enable always trigger guard_rows', table_name);
    perform audit.guard_truncate(table_name);
end $$;

create function audit.guard_truncate(table_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('create trigger guard_truncate before truncate on audit.%I for each statement execute function audit.refuse_change()', table_name);
    execute format('alter table audit.%I enable always trigger guard_truncate', table_name);
end $$;

-- Logs --------------------------------------------------------------------------------------------------------------

create table audit.logs (
    log_id int generated always as identity primary key,
    cluster text collate "C" not null,
    topic text collate "C" not null,
    "partition" int not null check ("partition" >= 0),
    incarnation int not null check (incarnation >= 1),
    next_offset bigint not null check (next_offset >= 0),
    last_record_offset bigint check (last_record_offset >= 0),
    last_record_digest bytea check (octet_length(last_record_digest) = 32),
    last_recorded_at timestamptz,
    opened_at timestamptz not null default clock_timestamp(),
    opened_by text collate "C" not null default session_user,
    closed_at timestamptz,
    accepted_gap_to bigint check (accepted_gap_to >= 0),
    accepted_gap_by text collate "C",
    accepted_gap_at timestamptz,
    unique (cluster, topic, "partition", incarnation),
    check ((last_record_offset is null) = (last_record_digest is null))
) with (fillfactor = 50);

comment on table audit.logs is 'One life of one Kafka partition and its position: every offset below next_offset is accounted for.';

create function audit.guard_log() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if (new.log_id, new.cluster, new.topic, new."partition", new.incarnation, new.opened_at, new.opened_by)
        is distinct from (old.log_id, old.cluster, old.topic, old."partition", old.incarnation, old.opened_at, old.opened_by) then
        raise exception 'the identity of a log does not change' using errcode = 'AT001';
    end if;
    if new.next_offset < old.next_offset or new.last_recorded_at < old.last_recorded_at then
        raise exception 'the position of a log does not go back' using errcode = 'AT001';
    end if;
    if old.closed_at is not null and new.next_offset <> old.next_offset then
        raise exception 'log % was closed by a newer incarnation', old.log_id using errcode = 'AT001';
    end if;
    return new;
end $$;
create trigger guard_identity before update on audit.logs for each row execute function audit.guard_log();
alter table audit.logs enable always trigger guard_identity;
create trigger guard_rows before delete on audit.logs for each row execute function audit.refuse_change();
alter table audit.logs enable always trigger guard_rows;
select audit.guard_truncate('logs');

-- Appends: the account, the order, the leaves of the ledger ------------------------------------------------------------

create table audit.append_head (
    last bigint not null check (last >= 0),
    only_row boolean primary key default true check (only_row)
) with (fillfactor = 10);
insert into audit.append_head (last) values (0);

create function audit.guard_head() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.last <= old.last then
        raise exception 'append numbers only grow' using errcode = 'AT001';
    end if;
    return new;
end $$;
create trigger guard_growth before update on audit.append_head for each row execute function audit.guard_head();
alter table audit.append_head enable always trigger guard_growth;
create trigger guard_rows before delete on audit.append_head for each row execute function audit.refuse_change();
alter table audit.append_head enable always trigger guard_rows;
select audit.guard_truncate('append_head');

create table audit.appends (
    append_no bigint primary key check (append_no >= 1),
    recorded_at timestamptz not null,
    from_offset bigint not null check (from_offset >= 0),
    next_offset bigint not null,
    min_time timestamptz,
    max_time timestamptz,
    skipped bigint not null check (skipped >= 0),
    log_id int not null references audit.logs,
    stored int not null check (stored >= 0),
    duplicate int not null check (duplicate >= 0),
    dead_lettered int not null check (dead_lettered >= 0),
    batch_root bytea not null check (octet_length(batch_root) = 32),
    unique (log_id, next_offset),
    check (next_offset - from_offset = stored::bigint + duplicate + dead_lettered + skipped),
    check (next_offset > from_offset),
    check ((stored > 0) = (min_time is not null) and (stored > 0) = (max_time is not null))
);

comment on table audit.appends is 'One row per log and batch, densely numbered in commit order. batch_root: RFC 6962 root over the leaves of from_offset..next_offset. min_time, max_time: event times of its stored events, null when it stored none.';

select audit.guard_table('appends');

-- What became of offsets that are no events ----------------------------------------------------------------------------

create table audit.dispositions (
    from_offset bigint not null check (from_offset >= 0),
    next_offset bigint not null,
    event_id uuid,
    log_id int not null,
    kind text collate "C" not null
        check (kind in ('duplicate', 'dead-lettered', 'not-delivered', 'gap', 'before-start')),
    reason text collate "C",
    primary key (log_id, from_offset),
    check (next_offset > from_offset),
    check (kind not in ('duplicate', 'dead-lettered') or next_offset = from_offset + 1),
    check ((kind = 'dead-lettered') = (reason is not null)),
    check (kind <> 'duplicate' or event_id is not null)
);

-- No foreign key to logs here and below: it would cost each duplicate a look-up; `trailctl verify` checks it.
comment on table audit.dispositions is 'Offsets that are not stored events: duplicates and dead letters one by one, skipped ones as runs from_offset..next_offset.';

select audit.guard_table('dispositions');

create table audit.dead_letters (
    recorded_at timestamptz not null,
    published_at timestamptz,
    "offset" bigint not null check ("offset" >= 0),
    record_timestamp_ms bigint,
    event_id uuid,
    log_id int not null,
    stage text collate "C" not null check (stage in ('framing', 'schema', 'decode', 'validate', 'append')),
    reason text collate "C" not null,
    pointer text collate "C" not null,
    detail text collate "C" not null,
    record_key bytea,
    record_value bytea,
    header_names bytea[] not null,
    header_values bytea[] not null,
    primary key (log_id, "offset"),
    check (cardinality(header_names) = cardinality(header_values))
);
create index dead_letters_unpublished on audit.dead_letters (recorded_at, log_id, "offset") where published_at is null;
create index dead_letters_recorded on audit.dead_letters (recorded_at, log_id, "offset");

comment on table audit.dead_letters is 'The original records that are no events, and why. header_names, header_values: bytes as they came (a name may hold U+0000, which text cannot).';

create function audit.guard_dead_letter() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if old.published_at is not null or new.published_at is null then
        raise exception 'a dead letter is marked as published once' using errcode = 'AT001';
    end if;
    -- published_at aside, the row must be what it was.
    old.published_at := new.published_at;
    if new is distinct from old then
        raise exception 'only published_at of a dead letter may change' using errcode = 'AT001';
    end if;
    return new;
end $$;
create trigger guard_publication before update on audit.dead_letters for each row execute function audit.guard_dead_letter();
alter table audit.dead_letters enable always trigger guard_publication;
create trigger guard_rows before delete on audit.dead_letters for each row execute function audit.refuse_change();
alter table audit.dead_letters enable always trigger guard_rows;
select audit.guard_truncate('dead_letters');

-- Copies of writer schemas -----------------------------------------------------------------------------------------------

create table audit.writer_schemas (
    registry text collate "C" not null,
    reference text collate "C" not null check (reference ~ '^(id:[0-9]+|guid:[0-9a-f-]{36})$'),
    schema text collate "C" not null,
    schema_references text[] collate "C" not null,
    kept_at timestamptz not null default clock_timestamp(),
    primary key (registry, reference)
);

comment on table audit.writer_schemas is 'Every writer schema that was met, by the registry that gave its id; schema_references in the order in which they must be parsed.';

select audit.guard_table('writer_schemas');

-- Retention classes --------------------------------------------------------------------------------------------------------

create table audit.retention_classes (
    name text collate "C" primary key check (name ~ '^[a-z][a-z0-9_]{0,23}$'),
    keep interval,
    made_at timestamptz not null default clock_timestamp()
);
insert into audit.retention_classes (name, keep) values ('standard', '7 years');

comment on table audit.retention_classes is 'The classes that have partitions, and how long after recording each is kept as `migrate` last found it configured (null = for ever). The class of an event is in its row for ever.';
