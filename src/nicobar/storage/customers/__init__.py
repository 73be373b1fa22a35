"""Customers in SQL."""
