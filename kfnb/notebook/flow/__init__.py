"""Data flow between the steps of a notebook: which step needs what from which other step."""

from kfnb.notebook.flow.infer import infer

__all__ = ["infer"]
