-- rebuild_projection: empties it and sends it back to the start. $1 name, $2 the fold's version, null = as it is
select audit.rebuild_projection($1, $2)
