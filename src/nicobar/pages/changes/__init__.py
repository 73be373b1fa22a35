"""What a customer changes before paying."""
