"""SQL and nothing else: functions that take a connection and return core structs."""
