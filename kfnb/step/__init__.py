"""What executes inside a step: papermill, the values that flow, and what the step changed."""
