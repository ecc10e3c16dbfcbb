-- create_logs: a first incarnation for each partition that has none. $1 cluster, $2 topics, $3 partitions
insert into audit.logs (cluster, topic, "partition", incarnation, next_offset)
select $1, wanted.topic, wanted.number, 1, 0
from unnest($2::text[], $3::int[]) as wanted (topic, number)
where not exists (
    select from audit.logs l
    where l.cluster = $1 and l.topic = wanted.topic and l."partition" = wanted.number
)
on conflict (cluster, topic, "partition", incarnation) do nothing
