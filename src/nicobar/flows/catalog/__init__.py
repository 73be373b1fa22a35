"""Products, prices, brands, pictures."""
