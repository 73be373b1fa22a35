"""Feeds of exchange rates."""
