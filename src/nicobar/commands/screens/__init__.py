"""What a terminal shows of one object, on one screen."""
