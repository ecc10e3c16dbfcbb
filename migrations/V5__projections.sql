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

insert into audit.projections (name) values ('aggregates'), ('data_accesses'), ('event_types'), ('security_events');

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

-- What shared::vocabulary reads out of the payloads is text that producers wrote: only what is looked up by is bounded.
create table audit.security_events (
    "timestamp" timestamptz not null,
    "offset" bigint not null,
    resolved_at timestamptz,
    log_id int not null,
    event_id uuid primary key,
    requires_action boolean not null,
    organization_id text collate "C" not null,
    event_type text collate "C" not null,
    severity text collate "C" not null check (severity in ('low', 'medium', 'high', 'critical')),
    user_id text collate "C" not null,
    username text collate "C",
    email text collate "C",
    description text collate "C",
    details text collate "C",
    ip_address text collate "C",
    location text collate "C",
    device text collate "C",
    user_agent text collate "C",
    resolved_by text collate "C",
    resolution_notes text collate "C"
) with (fillfactor = 90);
create index security_events_time on audit.security_events ("timestamp", log_id, "offset");
create index security_events_organization on audit.security_events (organization_id, "timestamp", log_id, "offset");
create index security_events_user on audit.security_events (user_id, "timestamp", log_id, "offset") where user_id <> '';
create index security_events_severity on audit.security_events (severity, "timestamp", log_id, "offset");
create index security_events_open on audit.security_events (severity, "timestamp", log_id, "offset") where resolved_at is null;

comment on table audit.security_events is 'The security events of any vocabulary. resolved_at, resolved_by, resolution_notes: of the last resolution in recorded order within the same organisation; null = open. '''' = none in user_id; details: JSON text.';

-- A resolution may come before what it resolves: partitions keep no order between them.
create table audit.security_resolutions (
    resolved_at timestamptz not null,
    append_no bigint not null,
    "offset" bigint not null,
    security_event_id uuid not null,
    organization_id text collate "C" not null,
    resolved_by text collate "C",
    notes text collate "C",
    primary key (security_event_id, organization_id)
);

comment on table audit.security_resolutions is 'The last resolution of each security event, in recorded order; a part of the projection security_events.';

create table audit.data_accesses (
    accessed_at timestamptz not null,
    "offset" bigint not null,
    log_id int not null,
    event_id uuid primary key,
    organization_id text collate "C" not null,
    accessor_user_id text collate "C" not null check (octet_length(accessor_user_id) <= 1024),
    subject_user_id text collate "C" not null check (octet_length(subject_user_id) <= 1024),
    accessor_name text collate "C",
    accessor_role text collate "C",
    subject_name text collate "C",
    data_type text collate "C",
    purpose text collate "C",
    justification text collate "C",
    ip_address text collate "C",
    service_name text collate "C",
    fields_accessed text collate "C" not null
);
create index data_accesses_time on audit.data_accesses (accessed_at, log_id, "offset");
create index data_accesses_organization on audit.data_accesses (organization_id, accessed_at, log_id, "offset");
create index data_accesses_accessor on audit.data_accesses (accessor_user_id, accessed_at, log_id, "offset");
create index data_accesses_subject on audit.data_accesses (subject_user_id, accessed_at, log_id, "offset");

comment on table audit.data_accesses is 'Who looked at whose data. accessor_user_id and subject_user_id are cut after 1,024 bytes, or no index could hold them; fields_accessed: a JSON array of names.';

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
    if projection = 'security_events' then
        truncate audit.security_resolutions;
    end if;
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

create view audit.security_events_visible as
select s."timestamp", s.log_id, s."offset", s.event_id, s.organization_id, s.event_type, s.severity, s.user_id, s.username,
       s.email, s.description, s.details, s.ip_address, s.location, s.device, s.user_agent, s.requires_action, s.resolved_at,
       s.resolved_by, s.resolution_notes
from audit.security_events s
where s.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

create view audit.data_accesses_visible as
select d.accessed_at, d.log_id, d."offset", d.event_id, d.organization_id, d.accessor_user_id, d.accessor_name,
       d.accessor_role, d.subject_user_id, d.subject_name, d.data_type, d.fields_accessed, d.purpose, d.justification,
       d.ip_address, d.service_name
from audit.data_accesses d
where d.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

revoke all on audit.projections, audit.aggregates, audit.event_types, audit.security_events, audit.security_resolutions,
    audit.data_accesses, audit.aggregates_visible, audit.event_types_visible, audit.security_events_visible,
    audit.data_accesses_visible from public;
revoke all on function audit.rebuild_projection(text, int) from public;

grant usage on schema audit to audit_projector;
grant select on audit.schema_history, audit.events, audit.appends, audit.projections to audit_projector;
grant update (position, updated_at) on audit.projections to audit_projector;
grant select, insert, update on audit.aggregates, audit.event_types, audit.security_events, audit.security_resolutions
    to audit_projector;
grant select, insert on audit.data_accesses to audit_projector;
grant select on audit.projections, audit.aggregates_visible, audit.event_types_visible, audit.security_events_visible,
    audit.data_accesses_visible to audit_api;
grant select on audit.projections, audit.aggregates, audit.event_types, audit.security_events, audit.security_resolutions,
    audit.data_accesses to audit_operator;
grant execute on function audit.rebuild_projection(text, int) to audit_projector, audit_operator;
