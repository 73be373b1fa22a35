"""HTTP/1.1 as this server speaks it: where a request ends, within which bounds, over how many connections."""
