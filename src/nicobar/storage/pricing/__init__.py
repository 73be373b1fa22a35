"""The facts that a cart is priced with, in SQL."""
