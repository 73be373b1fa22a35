"""Endpoints of webhooks, and sending to them."""
