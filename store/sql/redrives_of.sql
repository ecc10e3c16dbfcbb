-- redrives_of: the newest redrives of a dead letter, at most 100, each with its answer. $1 log, $2 offset
select r.redrive_id, r.at, r.requested_by, a.step, r.to_topic, a.to_partition, a.to_offset
from audit.redrives r
left join lateral (
    select step, to_partition, to_offset
    from audit.redrives s
    where s.log_id = r.log_id and s."offset" = r."offset" and s.redrive_id = r.redrive_id and s.step <> 'requested'
    limit 1
) a on true
where r.log_id = $1 and r."offset" = $2 and r.step = 'requested'
order by r.at desc, r.redrive_id desc
limit 100
