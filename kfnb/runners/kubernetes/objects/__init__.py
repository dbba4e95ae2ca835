"""The objects that a run creates in its namespace: pure functions from options to JSON."""
