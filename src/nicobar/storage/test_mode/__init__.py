"""Queries about what is due in a test mode, what has happened in it, and emptying it."""
