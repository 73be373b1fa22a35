"""The audit log: who changed what, and the proof that nobody has changed that record."""
