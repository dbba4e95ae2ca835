"""What a runner needs for an attempt (order, notebook, files), and what an attempt left."""
