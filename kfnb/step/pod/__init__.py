"""The container of a step on Kubernetes: it downloads inputs, executes the step, uploads outputs."""
