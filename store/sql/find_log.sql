-- find_log: the newest log of a partition. $1 cluster or null, $2 topic, $3 partition, $4 incarnation or null
select l.log_id, l.cluster, l.topic, l."partition", l.incarnation, l.next_offset
from audit.logs l
where l.topic = $2 and l."partition" = $3
  and ($1::text is null or l.cluster = $1)
  and ($4::int is null or l.incarnation = $4)
order by l.incarnation desc, l.log_id desc
limit 1
