-- stray_ids: ids without their event; that every event has its id is checked row by row elsewhere
select i.event_id::text, format('has the place log %s offset %s, where its event is not', i.log_id, i."offset")
from audit.event_ids i
where (select count(*) from audit.event_ids) <> (select coalesce(sum(stored), 0) from audit.appends)
  and not exists (
      select from audit.events e
      where e.log_id = i.log_id and e."offset" = i."offset" and e."timestamp" = i."timestamp" and e.event_id = i.event_id
  )
limit 10
