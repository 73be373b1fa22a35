"""Checkout sessions; so far their preview."""
