-- find_disposition: the disposition that covers an offset, with a dead letter's pointer. $1 log, $2 offset, $3 organisation or null (which sees only duplicates)
select d.kind, d.event_id, d.reason, w.pointer
from (
    select *
    from audit.dispositions
    where log_id = $1 and from_offset <= $2
    order by from_offset desc
    limit 1
) d
left join audit.dead_letters_visible w on w.log_id = d.log_id and w."offset" = d.from_offset
where d.next_offset > $2 and ($3::text is null or d.kind = 'duplicate')
