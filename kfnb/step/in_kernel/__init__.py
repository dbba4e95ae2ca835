"""What runs in the user's kernel: it loads inputs, saves outputs and records what cells changed."""
