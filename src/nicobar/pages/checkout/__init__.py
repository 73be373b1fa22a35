"""The payment page in every state of its payment."""
