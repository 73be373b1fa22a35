"""The program around the server: starting, serving, checking, telling."""
