-- copy_dispositions
copy audit.dispositions (from_offset, next_offset, event_id, log_id, kind, reason) from stdin (format binary)
