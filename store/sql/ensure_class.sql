-- ensure_class: partitions for a retention class. $1 class, $2 how long it is kept, null = for ever
select audit.ensure_class($1, $2)
