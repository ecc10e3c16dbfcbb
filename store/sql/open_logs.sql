-- open_logs: the newest incarnation of each partition, in the order asked for. $1 cluster, $2 topics, $3 partitions
select l.log_id, l.topic, l."partition", l.incarnation, l.next_offset, l.last_record_offset, l.last_record_digest,
       l.accepted_gap_to
from unnest($2::text[], $3::int[]) with ordinality as wanted (topic, number, place)
cross join lateral (
    select *
    from audit.logs l
    where l.cluster = $1 and l.topic = wanted.topic and l."partition" = wanted.number
    order by l.incarnation desc
    limit 1
) l
order by wanted.place
