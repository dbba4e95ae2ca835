"""A step is declared by a tag, a magic or metadata, and all three give the same declaration."""
