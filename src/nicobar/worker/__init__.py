"""Works on what is due: takes rows, calls one flow for each, and notes when one that failed is due again."""
