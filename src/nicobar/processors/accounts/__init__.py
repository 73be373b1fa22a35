"""Which processor charges what, and through which account."""
