-- whereabouts: what became of records just produced, in their order. $1 cluster, $2 topic, $3 partitions, $4 offsets, $5 event ids
select coalesce(l.next_offset > a."offset", false), d.kind, d.reason, i.log_id, i."offset"
from unnest($3::int[], $4::bigint[], $5::uuid[]) with ordinality as a ("partition", "offset", event_id, ordinal)
left join lateral (
    select log_id, next_offset
    from audit.logs n
    where n.cluster = $1 and n.topic = $2 and n."partition" = a."partition"
    order by n.incarnation desc
    limit 1
) l on true
left join lateral (
    select kind, reason
    from audit.dispositions d
    where d.log_id = l.log_id and d.from_offset = a."offset"
) d on true
left join lateral (
    select log_id, "offset"
    from audit.event_ids i
    where i.event_id = a.event_id
) i on true
order by a.ordinal
