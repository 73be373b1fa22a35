"""Products, prices, brands and pictures as JSON."""
