-- The second wall for dead letters too (semantics.md 12): whose they are nobody knows, so only who may read everything
-- sees one. Unset = no rows, as in audit.events_visible.
create view audit.dead_letters_visible as
select w.recorded_at, w.published_at, w."offset", w.record_timestamp_ms, w.event_id, w.log_id, w.stage, w.reason, w.pointer,
       w.detail, w.record_key, w.record_value, w.header_names, w.header_values
from audit.dead_letters w
where (select current_setting('audit.scope', true)) = 'all';

comment on view audit.dead_letters_visible is 'Dead letters, for transactions whose audit.scope is ''all''.';

revoke all on audit.dead_letters_visible from public;
grant select on audit.dead_letters_visible to audit_api, audit_retention, audit_operator;
revoke select on audit.dead_letters from audit_api;
