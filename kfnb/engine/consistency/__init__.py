"""What only a run shows about values, files and processes, in the notebook's order. Pure."""
