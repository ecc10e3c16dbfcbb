-- apply_resolutions: keeps the last of each in recorded order. $1 security events, $2 organisations, $3 times, $4 by whom,
-- $5 notes, $6 appends, $7 offsets
insert into audit.security_resolutions as r
    (security_event_id, organization_id, resolved_at, resolved_by, notes, append_no, "offset")
select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
on conflict (security_event_id, organization_id) do update
set resolved_at = excluded.resolved_at, resolved_by = excluded.resolved_by, notes = excluded.notes,
    append_no = excluded.append_no, "offset" = excluded."offset"
where (excluded.append_no, excluded."offset") > (r.append_no, r."offset")
