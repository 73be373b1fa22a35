"""Balances as JSON."""
