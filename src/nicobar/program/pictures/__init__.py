"""Drawn pictures of what the demo sells."""
