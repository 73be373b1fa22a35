"""The built-in processor of test mode."""
