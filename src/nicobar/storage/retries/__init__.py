"""The answers that repeated requests get."""
