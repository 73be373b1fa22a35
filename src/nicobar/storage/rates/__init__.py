"""Exchange rates in SQL."""
