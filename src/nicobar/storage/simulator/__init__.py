"""The simulated bank's own books, in a schema of their own."""
