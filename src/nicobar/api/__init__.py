"""The merchant's API: decode, authorise, call one flow or one read, render."""
