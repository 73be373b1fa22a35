"""What a request that comes again is recognised by."""
