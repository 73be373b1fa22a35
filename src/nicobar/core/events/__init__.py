"""What a merchant's application is told."""
