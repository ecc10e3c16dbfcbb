-- apply_accesses: adds these
insert into audit.accesses (accessed_at, log_id, "offset", event_id, organization_id, about, about_type, accessor_id, operation,
    outcome, ip_address, access)
select * from unnest($1::timestamptz[], $2::int[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[])
