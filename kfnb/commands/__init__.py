"""What the command line and ``%pipeline`` share: their options, and the text that they print."""
