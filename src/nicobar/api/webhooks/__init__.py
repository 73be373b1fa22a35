"""The operations on webhook endpoints and on events."""
