"""What an order knows of its customer, and what it still has to ask."""
