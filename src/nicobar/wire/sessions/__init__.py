"""Checkout sessions as JSON."""
