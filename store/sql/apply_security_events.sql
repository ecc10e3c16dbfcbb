-- apply_security_events: adds these; a resolution that came before is joined by join_resolutions.
insert into audit.security_events ("timestamp", log_id, "offset", event_id, requires_action, organization_id, event_type,
    severity, user_id, username, email, description, details, ip_address, location, device, user_agent)
select * from unnest($1::timestamptz[], $2::int[], $3::bigint[], $4::uuid[], $5::boolean[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[])
