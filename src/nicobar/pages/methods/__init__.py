"""The ways to pay: their forms, and reading them."""
