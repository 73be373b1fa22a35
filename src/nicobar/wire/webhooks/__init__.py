"""Webhook endpoints and their deliveries as JSON."""
