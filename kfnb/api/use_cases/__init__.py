"""What every view of a run needs: its summary, what changed, and the command to type again."""
