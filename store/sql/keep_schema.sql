-- keep_schema: keeps the first copy. $1 registry, $2 reference, $3 schema, $4 references
insert into audit.writer_schemas (registry, reference, schema, schema_references)
values ($1, $2, $3, $4)
on conflict (registry, reference) do nothing
