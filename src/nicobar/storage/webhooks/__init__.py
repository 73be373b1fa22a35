"""Endpoints of webhooks, their deliveries and tries."""
