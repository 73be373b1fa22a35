"""Pricing a cart, and the methods that it can be paid with."""
