"""Discounts and their uses in SQL."""
