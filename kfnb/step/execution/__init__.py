"""One attempt at one step: papermill executes its notebook, and the outcome is published."""
