"""Creating, paying and ending payments."""
