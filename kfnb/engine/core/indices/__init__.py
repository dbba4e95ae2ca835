"""What makes decisions fast: who waits for whom, what may start, what has not settled."""
