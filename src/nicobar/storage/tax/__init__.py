"""Tax tables in SQL."""
