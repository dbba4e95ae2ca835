"""What a walk through a notebook leaves behind, so that a changed cell is all that is new."""
