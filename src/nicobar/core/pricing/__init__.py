"""From a cart to its amounts, and why they are what they are."""
