"""Payments, their methods and saved methods."""
