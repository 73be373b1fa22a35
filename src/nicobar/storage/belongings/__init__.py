"""What belongs to an object, read with one query across the contexts below."""
