"""Walks through notebooks, and what is remembered of them for the next walk."""
