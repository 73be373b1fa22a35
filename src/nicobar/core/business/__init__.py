"""Businesses: whose data it is, and what they decide."""
