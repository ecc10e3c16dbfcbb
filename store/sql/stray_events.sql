-- stray_events: events at or beyond their log's position, before its first offset, or of no log at all. All events are
-- passed over once; those of a log one by one only where the log has such
with held as materialized (
    select log_id, min("offset") as least, max("offset") as greatest
    from audit.events
    group by log_id
)
(
    select format('%s/%s/%s offset %s', l.topic, l."partition", l.incarnation, e."offset"),
           'is an event beyond the position of its log'
    from held h
    join audit.logs l on l.log_id = h.log_id and h.greatest >= l.next_offset
    join audit.events e on e.log_id = l.log_id and e."offset" >= l.next_offset
    limit 10
)
union all
(
    select format('log %s offset %s', e.log_id, e."offset"), 'is an event before the first offset'
    from held h
    join audit.logs l on l.log_id = h.log_id
    join audit.events e on e.log_id = h.log_id and e."offset" < 0
    where h.least < 0
    limit 10
)
union all
(
    select format('log %s offset %s', h.log_id, h.least), 'is an event of a log that does not exist'
    from held h
    where not exists (select from audit.logs l where l.log_id = h.log_id)
    limit 10
)
