-- The events (semantics.md 11): months outside, retention classes inside, "C" everywhere, exact JSON bytes, the standard
-- index set (`store::indexes` has the same table; `migrate` drops what a configured smaller set leaves out), guards on
-- every level.

create table audit.events (
    "timestamp" timestamptz not null,
    recorded_at timestamptz not null,
    "offset" bigint not null,
    log_id int not null,
    version int not null,
    event_id uuid not null,
    retention_class text collate "C" not null,
    organization_id text collate "C" not null,
    aggregate_type text collate "C" not null,
    aggregate_id text collate "C" not null,
    event_type text collate "C" not null,
    user_id text collate "C" not null,
    correlation_id text collate "C" not null,
    causation_id text collate "C" not null,
    source text collate "C" not null,
    action text collate "C" not null,
    payload json not null,
    metadata json not null
) partition by range ("timestamp");

comment on table audit.events is 'Every stored event, exactly as accepted. '''' = absent in organization_id, user_id, correlation_id, causation_id, source, action.';

-- lz4 is quicker than pglz both ways; a server built without it keeps its default.
do $$ begin
    alter table audit.events alter column payload set compression lz4;
    alter table audit.events alter column metadata set compression lz4;
exception when feature_not_supported then
    raise notice 'this server has no lz4: long payloads are compressed with its default';
end $$;

-- Essential set
create index events_history on audit.events (aggregate_type, aggregate_id, organization_id, version, recorded_at);
create index events_order on audit.events (log_id, "offset") with (fillfactor = 100);
create index events_time on audit.events ("timestamp") with (fillfactor = 100);
-- Standard set
create index events_organization on audit.events (organization_id, "timestamp");
create index events_user on audit.events (user_id, "timestamp") where user_id <> '';
create index events_type on audit.events (event_type, "timestamp");
create index events_correlation on audit.events using hash (correlation_id) where correlation_id <> '';
create index events_causation on audit.events (causation_id) where causation_id <> '';

-- The row guard is cloned to every partition by ATTACH; the TRUNCATE guard is not, see audit.guard_truncate.
select audit.guard_table('events');

-- The arbiter of ids (semantics.md 3): a unique key cannot hold across time partitions. 16 parts can be vacuumed and
-- rebuilt in pieces.
create table audit.event_ids (
    event_id uuid primary key,
    "timestamp" timestamptz not null,
    "offset" bigint not null,
    log_id int not null
) partition by hash (event_id);

comment on table audit.event_ids is 'The place of every stored event, and the arbiter of its id.';

select audit.guard_table('event_ids');

do $$ begin
    -- Ids of version 7 grow: pages that are only added to at the right end are filled whole.
    for part in 0..15 loop
        execute format('create table audit.event_ids_%s partition of audit.event_ids for values with (modulus 16, remainder %s)', lpad(part::text, 2, '0'), part);
        perform audit.guard_truncate(format('event_ids_%s', lpad(part::text, 2, '0')));
        execute format('alter index audit.event_ids_%s_pkey set (fillfactor = 100)', lpad(part::text, 2, '0'));
    end loop;
end $$;
