-- Who looked (semantics.md 12), findable by who is looked at: a projection of the events that record accesses.

-- One row for each access (about = '') and one more for each user and aggregate that it named, so that every question is
-- a range of one index. The whole record is in each: there are few, and a page is then one scan.
create table audit.accesses (
    accessed_at timestamptz not null,
    "offset" bigint not null,
    log_id int not null,
    event_id uuid not null,
    about text collate "C" not null,
    about_type text collate "C" not null,
    organization_id text collate "C" not null,
    accessor_id text collate "C" not null,
    operation text collate "C" not null,
    outcome text collate "C" not null,
    ip_address text collate "C",
    access text collate "C" not null,
    primary key (event_id, about, about_type)
);
create index accesses_time on audit.accesses (accessed_at, log_id, "offset") where about = '';
create index accesses_organization on audit.accesses (organization_id, accessed_at, log_id, "offset") where about = '';
create index accesses_accessor on audit.accesses (accessor_id, accessed_at, log_id, "offset") where about = '';
create index accesses_about on audit.accesses (about, accessed_at, log_id, "offset") where about <> '';

comment on table audit.accesses is 'Who asked for what. about: '''' = the access itself; user:<id> and aggregate:<id> = the same access, found by what it named (cut after 1,024 bytes), about_type the aggregate''s type, '''' where the request named none; access: the event''s payload.';

insert into audit.projections (name, tables) values ('accesses', array['accesses']);

-- What the API reads, within the transaction's scope, as in audit.events_visible.
create view audit.accesses_visible as
select a.accessed_at, a.log_id, a."offset", a.event_id, a.about, a.about_type, a.organization_id, a.accessor_id, a.operation,
       a.outcome, a.ip_address, a.access
from audit.accesses a
where a.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

revoke all on audit.accesses, audit.accesses_visible from public;

grant select, insert on audit.accesses to audit_projector;
grant select on audit.accesses_visible to audit_api;
grant select on audit.accesses to audit_operator;
