"""Requests that come again."""
