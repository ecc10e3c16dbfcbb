-- bootstrap: roles, their grants on this database, the schema. Roles belong to the cluster: the lock on the shared
-- catalogue keeps bootstraps of several databases apart (advisory locks are per database). Readers are not blocked.
begin;
lock table pg_catalog.pg_authid in share row exclusive mode;
do $$
declare
    wanted record;
begin
    for wanted in
        select * from (values
            ('audit_owner', 'nologin'),
            ('audit_migrator', 'login noinherit'),
            ('audit_ingestor', 'login'),
            ('audit_api', 'login'),
            ('audit_projector', 'login'),
            ('audit_retention', 'login'),
            ('audit_operator', 'login')
        ) as roles (name, attributes)
    loop
        if not exists (select from pg_catalog.pg_roles r where r.rolname = wanted.name) then
            execute format('create role %I %s', wanted.name, wanted.attributes);
        end if;
    end loop;
    if not pg_has_role('audit_migrator', 'audit_owner', 'member') then
        grant audit_owner to audit_migrator;
    end if;
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to audit_migrator, audit_ingestor, audit_api, audit_projector, audit_retention, audit_operator', current_database());
    -- A writer that stops in the middle of its transaction must not hold its locks for ever (semantics.md 4).
    execute format('alter role audit_ingestor in database %I set idle_in_transaction_session_timeout = %L', current_database(), '10s');
    -- The same for the projector, whose position is a lock too.
    execute format('alter role audit_projector in database %I set idle_in_transaction_session_timeout = %L', current_database(), '10s');
    execute format('alter role audit_api in database %I set default_transaction_read_only = on', current_database());
end $$;
create schema if not exists audit authorization audit_owner;
-- Now, so that a service on a database without tables is told to migrate, not that it lacks a permission.
grant usage on schema audit to audit_migrator, audit_ingestor, audit_api, audit_projector, audit_retention, audit_operator;
commit;
