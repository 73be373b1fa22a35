"""The hosted pages that a customer sees."""
