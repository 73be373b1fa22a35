"""The simulated bank's own pages."""
