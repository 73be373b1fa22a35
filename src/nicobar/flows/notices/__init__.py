"""The inbox of processors' notices."""
