"""What processors tell unasked."""
