-- schema_version: the newest migration that was applied
select max(version)::bigint from audit.schema_history
