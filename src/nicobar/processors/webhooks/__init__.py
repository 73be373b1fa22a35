"""Sends to the receivers of merchants."""
