"""The life of subscriptions: start, renew, change, end."""
