"""Rules of moving the clock of a test mode."""
