"""The sentences of the pages, in 22 languages."""
