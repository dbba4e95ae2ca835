"""The key that a step's result depends on, and the lookup of an earlier result under it."""
