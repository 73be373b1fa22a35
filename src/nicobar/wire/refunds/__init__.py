"""Refunds as JSON."""
