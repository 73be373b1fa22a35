"""Customers as JSON."""
