"""Products, prices, brands and pictures in SQL."""
