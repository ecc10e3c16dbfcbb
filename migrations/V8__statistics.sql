-- How many events of which kind there were, by time: the base of statistics and reports (B29, B42).

-- Each projection names its tables, so that a rebuild needs to know no more than its name.
alter table audit.projections add column tables text[];
update audit.projections
set tables = case name when 'security_events' then array['security_events', 'security_resolutions'] else array[name::text] end;
alter table audit.projections alter column tables set not null, add check (cardinality(tables) >= 1);
insert into audit.projections (name, tables)
values ('statistics', array['statistics_hours', 'statistics_days', 'statistics_series']);

create or replace function audit.rebuild_projection(projection text, fold_version int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '15s' as $$
declare
    emptied text;
begin
    update audit.projections p
    set position = 0, version = coalesce(fold_version, p.version), updated_at = clock_timestamp()
    where p.name = projection
    returning (select string_agg(format('audit.%I', t), ', ' order by t) from unnest(p.tables) t) into emptied;
    if not found then
        raise exception 'there is no projection named %', projection using errcode = 'AT004';
    end if;
    execute 'truncate ' || emptied;
end $$;

-- A series is everything that events are counted by except the time. Its names are long and few, its counts short and many.
create table audit.statistics_series (
    series_id uuid primary key,
    organization_id text collate "C" not null,
    aggregate_type text collate "C" not null,
    event_type text collate "C" not null,
    source text collate "C" not null,
    action text collate "C" not null,
    outcome text collate "C" not null check (outcome in ('', 'success', 'failure')),
    user_id text collate "C" not null
);
create index statistics_series_organization on audit.statistics_series (organization_id, event_type);
create index statistics_series_type on audit.statistics_series (event_type);
create index statistics_series_user on audit.statistics_series (user_id) where user_id <> '';

comment on table audit.statistics_series is 'What events are counted by. series_id: the first bytes of the SHA-256 of the names, so that a rebuild gives the same; '''' = none, and in user_id also: all users, where statistics_hours refers to it.';

create table audit.statistics_hours (
    "hour" timestamptz not null,
    event_count bigint not null check (event_count >= 1),
    series_id uuid not null,
    primary key (series_id, "hour")
) with (fillfactor = 80);
create index statistics_hours_hour on audit.statistics_hours ("hour");

comment on table audit.statistics_hours is 'Events of each series by hour (UTC), over all users: it grows with the kinds of events, never with the number of users.';

create table audit.statistics_days (
    "day" timestamptz not null,
    event_count bigint not null check (event_count >= 1),
    series_id uuid not null,
    primary key (series_id, "day")
) with (fillfactor = 80);
create index statistics_days_day on audit.statistics_days ("day");

comment on table audit.statistics_days is 'Events of each series by day (UTC), each user apart: it grows with the users who do something that day.';

-- What the API reads, within the transaction's scope, as in audit.events_visible. One shape for both grains.
create view audit.statistics_hours_visible as
select c."hour" as bucket, c.event_count, s.organization_id, s.aggregate_type, s.event_type, s.source, s.action, s.outcome
from audit.statistics_hours c
join audit.statistics_series s using (series_id)
where s.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

create view audit.statistics_days_visible as
select c."day" as bucket, c.event_count, s.organization_id, s.aggregate_type, s.event_type, s.source, s.action, s.outcome,
       s.user_id
from audit.statistics_days c
join audit.statistics_series s using (series_id)
where s.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

revoke all on audit.statistics_series, audit.statistics_hours, audit.statistics_days, audit.statistics_hours_visible,
    audit.statistics_days_visible from public;

grant select, insert on audit.statistics_series to audit_projector;
grant select, insert, update on audit.statistics_hours, audit.statistics_days to audit_projector;
grant select on audit.statistics_hours_visible, audit.statistics_days_visible to audit_api;
grant select on audit.statistics_series, audit.statistics_hours, audit.statistics_days to audit_operator;
