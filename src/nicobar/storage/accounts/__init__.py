"""Accounts at payment processors, in SQL."""
