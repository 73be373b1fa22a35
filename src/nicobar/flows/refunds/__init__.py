"""Planning, making and ending refunds."""
