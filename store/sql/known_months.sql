-- known_months: the months that have partitions, as year * 12 + month - 1
select substr(c.relname, 8, 4)::int * 12 + substr(c.relname, 13, 2)::int - 1
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'audit.events'::regclass and c.relname ~ '^events_[0-9]{4}_[0-9]{2}$'
