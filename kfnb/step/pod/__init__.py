"""The container of a step on Kubernetes: downloads inputs, executes the step, uploads outputs."""
