"""What a merchant's application is notified of."""
