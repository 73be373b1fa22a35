"""Checkout sessions as JSON; so far their preview."""
