"""Refunds in SQL."""
