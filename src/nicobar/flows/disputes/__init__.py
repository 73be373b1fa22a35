"""Disputes, as processors report them."""
