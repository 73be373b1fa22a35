"""The JSON of subscriptions."""
