-- load_schema: the copy of a writer schema. $1 registry, $2 reference
select schema, schema_references from audit.writer_schemas where registry = $1 and reference = $2
