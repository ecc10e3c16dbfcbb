-- Who may do what (semantics.md 11, 12): nothing for PUBLIC, nothing on partitions, the least for each role.

-- What the API reads. A plain view, not a security_barrier: a barrier is not pulled up, so every ordered page becomes a
-- full sort; whoever can write SQL as audit_api could set the settings as well. Unset = no rows.
create view audit.events_visible as
select e."timestamp", e.recorded_at, e."offset", e.log_id, e.version, e.event_id, e.retention_class, e.organization_id,
       e.aggregate_type, e.aggregate_id, e.event_type, e.user_id, e.correlation_id, e.causation_id, e.source, e.action,
       e.payload, e.metadata
from audit.events e
-- A setting that an earlier transaction of the session made local reads as '' afterwards: that is unset, not "none".
where e.organization_id = (select nullif(current_setting('audit.organization', true), ''))
   or (select current_setting('audit.scope', true)) = 'all';

comment on view audit.events_visible is 'Events within the transaction''s scope: audit.scope = ''all'', or audit.organization = one organisation.';

-- An operator's decision about a gap. Answers the log's id.
create function audit.accept_gap(in_cluster text, in_topic text, in_partition int, up_to bigint) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_log int;
begin
    if up_to is null or up_to < 0 then
        raise exception 'the end of a gap is an offset, not %', up_to using errcode = 'AT003';
    end if;
    update audit.logs l
    set accepted_gap_to = up_to, accepted_gap_by = session_user, accepted_gap_at = clock_timestamp()
    where l.log_id = (
        select n.log_id from audit.logs n
        where n.cluster = in_cluster and n.topic = in_topic and n."partition" = in_partition
        order by n.incarnation desc limit 1
    )
    returning l.log_id into found_log;
    if found_log is null then
        raise exception 'there is no log for partition % of topic % in cluster %', in_partition, in_topic, in_cluster
            using errcode = 'AT003';
    end if;
    return found_log;
end $$;

-- A topic was made anew under its old name: closes the log, opens the next life of the partition at 0.
create function audit.new_incarnation(in_cluster text, in_topic text, in_partition int, out log_id int, out incarnation int)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    old_log audit.logs;
begin
    select * into old_log from audit.logs n
    where n.cluster = in_cluster and n.topic = in_topic and n."partition" = in_partition
    order by n.incarnation desc limit 1
    for update;
    if old_log.log_id is null then
        raise exception 'there is no log for partition % of topic % in cluster %', in_partition, in_topic, in_cluster
            using errcode = 'AT003';
    end if;
    update audit.logs l set closed_at = clock_timestamp() where l.log_id = old_log.log_id;
    insert into audit.logs as l (cluster, topic, "partition", incarnation, next_offset, opened_by)
    values (in_cluster, in_topic, in_partition, old_log.incarnation + 1, 0, session_user)
    returning l.log_id, l.incarnation into log_id, incarnation;
end $$;

revoke all on schema audit from public;
revoke all on all tables in schema audit from public;
revoke all on all functions in schema audit from public;
grant usage on schema audit to audit_ingestor, audit_api, audit_retention, audit_operator;

grant select on audit.schema_history, audit.retention_classes to audit_migrator, audit_ingestor, audit_api, audit_retention, audit_operator;

grant select, insert on audit.events, audit.event_ids, audit.appends, audit.dispositions, audit.dead_letters,
    audit.writer_schemas, audit.logs to audit_ingestor;
grant update (next_offset, last_record_offset, last_record_digest, last_recorded_at) on audit.logs to audit_ingestor;
grant select, update (last) on audit.append_head to audit_ingestor;
grant update (published_at) on audit.dead_letters to audit_ingestor;
grant execute on function audit.ensure_month(date) to audit_ingestor;

grant select on audit.events_visible, audit.event_ids, audit.logs, audit.appends, audit.append_head,
    audit.dispositions, audit.dead_letters to audit_api;

grant select on audit.events, audit.events_visible, audit.event_ids, audit.logs, audit.appends, audit.append_head,
    audit.dispositions, audit.dead_letters, audit.writer_schemas to audit_retention, audit_operator;
grant execute on function audit.accept_gap(text, text, int, bigint), audit.new_incarnation(text, text, int)
    to audit_operator;
-- The guards and makers call each other as the owner; a trigger function needs no grant to fire.
grant execute on function audit.floor_month() to audit_ingestor, audit_api, audit_retention, audit_operator;
