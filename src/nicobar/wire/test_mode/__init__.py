"""JSON of the test clock."""
