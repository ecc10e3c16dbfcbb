-- ensure_class: partitions for a retention class. $1 class
select audit.ensure_class($1)
