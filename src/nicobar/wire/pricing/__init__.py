"""Explanations of totals as JSON."""
