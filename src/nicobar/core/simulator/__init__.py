"""The simulated bank of test mode."""
