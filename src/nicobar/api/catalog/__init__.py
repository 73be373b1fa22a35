"""Products, prices, brands and pictures."""
