"""The session, its heartbeat and its telemetry."""
