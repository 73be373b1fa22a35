"""Checkout sessions: what a merchant asks to be sold, until its buyer has told what is missing."""
