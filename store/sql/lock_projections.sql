-- lock_projections: holds the positions until COMMIT, in the order of names; a rebuild waits here. $1 names
select name, position from audit.projections where name = any($1) order by name for update
