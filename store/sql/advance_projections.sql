-- advance_projections: everything up to this append is in. $1 names, $2 position
update audit.projections set position = $2, updated_at = clock_timestamp() where name = any($1)
