"""Files, state of libraries and names in strings: what a cell does besides binding names."""
