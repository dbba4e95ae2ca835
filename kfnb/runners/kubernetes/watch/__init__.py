"""One watch of Jobs and one of pods for each run, and the Events of what does not start."""
