"""The commands about test mode alone."""
