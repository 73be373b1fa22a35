"""What commands share at the terminal: their parts and the screens of single objects."""
