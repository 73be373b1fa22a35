"""Tax tables and tax ids."""
