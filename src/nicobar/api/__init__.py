"""The merchant's API: authenticate, decode, call one flow or one read, render."""
