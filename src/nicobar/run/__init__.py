"""Any application against this server, unchanged: `nicobar run`."""
