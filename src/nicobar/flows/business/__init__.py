"""Businesses, their keys and settings."""
