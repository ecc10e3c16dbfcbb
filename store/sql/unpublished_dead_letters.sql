-- unpublished_dead_letters: the oldest ones, within a number and a size. $1 limit, $2 bytes
select d.log_id, d."offset", l.cluster, l.topic, l."partition", l.incarnation, d.stage, d.reason, d.pointer, d.detail,
       d.event_id, d.record_key, d.record_value, d.header_names, d.header_values, d.record_timestamp_ms,
       d.recorded_at, d.published_at
from (
    select w.log_id, w."offset",
           sum(coalesce(octet_length(w.record_value), 0)) over (order by w.recorded_at, w.log_id, w."offset")
               - coalesce(octet_length(w.record_value), 0) as bytes_before
    from (
        select u.log_id, u."offset", u.recorded_at, u.record_value
        from audit.dead_letters u
        where u.published_at is null
        order by u.recorded_at, u.log_id, u."offset"
        limit $1
    ) w
) chosen
join audit.dead_letters d on d.log_id = chosen.log_id and d."offset" = chosen."offset"
join audit.logs l on l.log_id = d.log_id
where chosen.bytes_before < $2
order by d.recorded_at, d.log_id, d."offset"
