"""Read a notebook into a pipeline: cells, declarations, data flow, effects and diagnostics."""
