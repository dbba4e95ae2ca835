"""An abstract interpreter: executes cells on what is known of their names instead of on values."""
