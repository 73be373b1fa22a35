"""Disputes in SQL."""
