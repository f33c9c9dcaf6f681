"""What a server can be told: one typed table, every way to spell it, where each value came from."""
