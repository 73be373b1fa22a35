"""Discounts and their uses."""
