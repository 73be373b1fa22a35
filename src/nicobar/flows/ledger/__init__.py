"""Entries in the books, and reading them."""
