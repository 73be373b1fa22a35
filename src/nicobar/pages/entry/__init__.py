"""How a payment link is found, and how often somebody may try."""
