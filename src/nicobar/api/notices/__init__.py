"""Where processors send their notices."""
