"""Businesses, their keys and settings, in SQL."""
