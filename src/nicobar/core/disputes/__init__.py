"""Customers asking their bank for the money back."""
