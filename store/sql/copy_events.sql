-- copy_events
copy audit.events ("timestamp", recorded_at, "offset", log_id, version, event_id, retention_class, organization_id, aggregate_type, aggregate_id, event_type, user_id, correlation_id, causation_id, source, action, payload, metadata) from stdin (format binary)
