"""The sweep, and purging what nobody needs any more."""
