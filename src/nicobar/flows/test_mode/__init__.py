"""Moving the clock of a test mode, and emptying it."""
