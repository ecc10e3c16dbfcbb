-- projection_states: how far each projection has read, when that append was recorded, the newest append, when the first one
-- that it has not read was recorded, and the server's clock
select p.name, p.version, p.position, p.updated_at, reached.recorded_at, h.head, waiting.recorded_at, clock_timestamp()
from audit.projections p
cross join (select coalesce(max(append_no), 0) as head from audit.appends) h
left join audit.appends reached on reached.append_no = p.position
left join audit.appends waiting on waiting.append_no = p.position + 1
order by p.name
