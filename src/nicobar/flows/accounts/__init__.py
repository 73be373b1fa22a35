"""Accounts at payment processors."""
