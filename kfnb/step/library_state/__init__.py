"""State of libraries that flows between steps: captured where it changed, restored later."""
