-- copy_event_ids
copy audit.event_ids (event_id, "timestamp", "offset", log_id) from stdin (format binary)
