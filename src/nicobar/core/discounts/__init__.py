"""Discount codes: whether one may be used, and what it takes off."""
