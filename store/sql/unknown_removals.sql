-- unknown_removals: the first migration beyond $1 that takes something away, as V<number>__<name>
select format('V%s__%s', version, name)
from audit.schema_history
where version > $1::bigint and name like 'remove\_%'
order by version
limit 1
