-- copy_dead_letters
copy audit.dead_letters (recorded_at, "offset", record_timestamp_ms, event_id, log_id, stage, reason, pointer, detail, record_key, record_value, header_names, header_values) from stdin (format binary)
