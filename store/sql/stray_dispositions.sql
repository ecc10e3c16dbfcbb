-- stray_dispositions: dispositions at or beyond their log's position, of no log, or dead letters without their record
(
    select format('log %s offset %s', d.log_id, d.from_offset), 'is a disposition beyond the position of its log'
    from audit.dispositions d
    left join audit.logs l on l.log_id = d.log_id
    where d.from_offset >= coalesce(l.next_offset, 0)
    limit 10
)
union all
(
    select format('log %s offset %s', d.log_id, d.from_offset), 'is dead-lettered, but its record is not in dead_letters'
    from audit.dispositions d
    where d.kind = 'dead-lettered'
      and not exists (select from audit.dead_letters w where w.log_id = d.log_id and w."offset" = d.from_offset and w.reason = d.reason)
    limit 10
)
