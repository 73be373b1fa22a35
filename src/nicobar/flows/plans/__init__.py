"""Plans of subscriptions: put together, and priced for a day."""
