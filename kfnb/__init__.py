"""Run a tagged Jupyter notebook as a pipeline."""

from __future__ import annotations

__version__ = "0.1.0"
