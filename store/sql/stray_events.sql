-- stray_events: events at or beyond their log's position, or of no log at all
(
    select format('%s/%s/%s offset %s', l.topic, l."partition", l.incarnation, e."offset"),
           'is an event beyond the position of its log'
    from audit.logs l
    join audit.events e on e.log_id = l.log_id and e."offset" >= l.next_offset
    limit 10
)
union all
(
    select format('log %s offset %s', e.log_id, e."offset"), 'is an event before the first offset'
    from audit.events e
    join audit.logs l on l.log_id = e.log_id and e."offset" < 0
    limit 10
)
union all
(
    select format('log %s offset %s', e.log_id, e."offset"), 'is an event of a log that does not exist'
    from audit.events e
    where not exists (select from audit.logs l where l.log_id = e.log_id)
    limit 10
)
