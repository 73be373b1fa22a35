"""Disputes as JSON."""
