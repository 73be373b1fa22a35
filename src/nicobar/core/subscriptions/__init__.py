"""Subscriptions: when something is due, what it costs, and what may follow what."""
