"""The time of each business: real time, or that of its test clock."""
