"""Payments, attempts and saved methods in SQL."""
