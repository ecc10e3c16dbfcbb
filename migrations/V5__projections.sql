-- Projections: answers that no index of events gives, folded from the events in recorded order (semantics.md 6, 7) by the
-- projector. They are derived: nothing here is evidence, and each can be made anew from nothing.

-- How far each has read. The position moves in the transaction that holds the changes up to it.
create table audit.projections (
    position bigint not null default 0 check (position >= 0),
    updated_at timestamptz not null default clock_timestamp(),
    version int not null default 1 check (version >= 1),
    name text collate "C" primary key
) with (fillfactor = 50);

comment on table audit.projections is 'What the projector keeps: each projection holds exactly the events of the appends up to position. version: of the fold that made it; another one means a rebuild.';

insert into audit.projections (name) values ('aggregates'), ('event_types');

-- Versions may come late, twice and in any order. Two sets of them say exactly which are missing and which are double,
-- whatever the order; a whole history is one range, so that the row stays small. bigint: one beyond the greatest version.
create table audit.aggregates (
    event_count bigint not null check (event_count >= 1),
    first_time timestamptz not null,
    last_time timestamptz not null,
    organization_id text collate "C" not null,
    aggregate_type text collate "C" not null,
    aggregate_id text collate "C" not null,
    versions int8multirange not null,
    double_versions int8multirange not null,
    has_gap boolean not null generated always as
        (not isempty(versions) and versions <> int8multirange(int8range(1, upper(versions)))) stored,
    has_fork boolean not null generated always as (not isempty(double_versions)) stored,
    primary key (organization_id, aggregate_type, aggregate_id)
-- Room on the page, and no index on what an event changes: an update stays on its page and touches no index.
) with (fillfactor = 70);
create index aggregates_type on audit.aggregates (aggregate_type, aggregate_id, organization_id);
create index aggregates_gap on audit.aggregates (aggregate_type, aggregate_id, organization_id) where has_gap;
create index aggregates_fork on audit.aggregates (aggregate_type, aggregate_id, organization_id) where has_fork;

comment on table audit.aggregates is 'Every aggregate with its events counted. versions: those from 1 on that are stored; double_versions: those that more than one event has; has_gap: one below the greatest is missing.';

create table audit.event_types (
    event_count bigint not null check (event_count >= 1),
    first_time timestamptz not null,
    last_time timestamptz not null,
    event_type text collate "C" not null,
    organization_id text collate "C" not null,
    primary key (event_type, organization_id)
) with (fillfactor = 50);
create index event_types_organization on audit.event_types (organization_id, event_type);

comment on table audit.event_types is 'The types of events that each organisation has, counted.';

-- Empties a projection and sends it back to the start, beside ingest, readers (who are told by the position how far it
-- has come again) and the projector, which waits for the row of its position.
create function audit.rebuild_projection(projection text, fold_version int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '15s' as $$
begin
    update audit.projections p
    set position = 0, version = coalesce(fold_version, p.version), updated_at = clock_timestamp()
    where p.name = projection;
    if not found then
        raise exception 'there is no projection named %', projection using errcode = 'AT004';
    end if;
    execute format('truncate audit.%I', projection);
end $$;

-- What the API reads, within the transaction's scope, as in audit.events_visible.
create view audit.aggregates_visible as
select a.organization_id, a.aggregate_type, a.aggregate_id, a.event_count, a.first_time, a.last_time, a.versions,
       a.double_versions, a.has_gap, a.has_fork
from audit.aggregates a
where a.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

create view audit.event_types_visible as
select t.organization_id, t.event_type, t.event_count, t.first_time, t.last_time
from audit.event_types t
where t.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

revoke all on audit.projections, audit.aggregates, audit.event_types, audit.aggregates_visible, audit.event_types_visible
    from public;
revoke all on function audit.rebuild_projection(text, int) from public;

grant usage on schema audit to audit_projector;
grant select on audit.schema_history, audit.events, audit.appends, audit.projections to audit_projector;
grant update (position, updated_at) on audit.projections to audit_projector;
grant select, insert, update on audit.aggregates, audit.event_types to audit_projector;
grant select on audit.projections, audit.aggregates_visible, audit.event_types_visible to audit_api;
grant select on audit.projections, audit.aggregates, audit.event_types to audit_operator;
grant execute on function audit.rebuild_projection(text, int) to audit_projector, audit_operator;
