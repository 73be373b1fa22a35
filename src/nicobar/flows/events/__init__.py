"""The outbox of events."""
