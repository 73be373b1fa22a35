"""The command line, one file for each group of commands; each opens what it needs and calls one thing."""
