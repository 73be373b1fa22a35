"""Plug-ins that translate between Nicobar and a payment processor."""
