"""Steps that share a kernel because a value cannot leave it, as far as the source shows."""
