"""Customers and the proof of who they are."""
