"""Accounts of businesses at payment processors."""
