"""Customers of a business."""
