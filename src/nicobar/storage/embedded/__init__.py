"""The PostgreSQL server that is built in."""
