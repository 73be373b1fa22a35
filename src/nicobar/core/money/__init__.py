"""Money, exchange rates, and how amounts are converted."""
