"""Discounts as JSON."""
