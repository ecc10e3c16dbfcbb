-- apply_data_accesses: adds these; $16 the accessed fields, each a JSON array
insert into audit.data_accesses (accessed_at, log_id, "offset", event_id, organization_id, accessor_user_id, subject_user_id,
    accessor_name, accessor_role, subject_name, data_type, purpose, justification, ip_address, service_name, fields_accessed)
select * from unnest($1::timestamptz[], $2::int[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])
