"""Data flow between the steps of a notebook: design, section 4."""

from kfnb.notebook.flow.infer import infer

__all__ = ["infer"]
