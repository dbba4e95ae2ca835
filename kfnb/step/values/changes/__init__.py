"""Whether a step changed in place what it loaded."""
