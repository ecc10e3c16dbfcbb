-- join_resolutions: settles the security events that this batch brought or resolved. $1 their ids
update audit.security_events s
set resolved_at = r.resolved_at, resolved_by = r.resolved_by, resolution_notes = r.notes
from audit.security_resolutions r
where r.security_event_id = any($1) and s.event_id = r.security_event_id and s.organization_id = r.organization_id
