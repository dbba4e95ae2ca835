"""The append-only journal of a run, the only truth about it that views read."""
