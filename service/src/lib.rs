//! One start-up for every daemon: configuration, telemetry, health, metrics, shutdown.
