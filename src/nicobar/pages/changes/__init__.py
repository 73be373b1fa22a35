"""What a customer changes before paying, and the charge itself."""
