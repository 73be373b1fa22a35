"""Subscriptions and their charges."""
