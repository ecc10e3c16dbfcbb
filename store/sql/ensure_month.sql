-- ensure_month: the partitions of a month. $1 year, $2 month
select audit.ensure_month(make_date($1, $2, 1))
