"""Which tax a line of a cart gets."""
