"""Payments, their methods and saved methods as JSON."""
