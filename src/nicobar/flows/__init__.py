"""Verbs: the only place where a transaction opens or a processor is called."""
