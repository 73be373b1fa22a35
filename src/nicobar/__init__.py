"""Nicobar: a self-hosted payment server that speaks the Dodo Payments HTTP API."""
