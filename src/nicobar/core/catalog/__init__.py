"""What is sold: products, their prices, brands, pictures."""
