"""Values that flow between steps: they are saved, loaded, summarised and checked for changes.

This package runs in the user's kernel. It imports the standard library and cloudpickle, and uses
the libraries of the values only if the user's code has imported them.
"""

from __future__ import annotations

from kfnb.step.values.bundles.container import DamagedError, NoSpaceError
from kfnb.step.values.bundles.loading import Loaded, load
from kfnb.step.values.bundles.saving import BundleFile, Saved, save
from kfnb.step.values.bundles.unsaveable import Unsaveable
from kfnb.step.values.changes.mutation_watch import Watch
from kfnb.step.values.functions import MissingDefinitionError
from kfnb.step.values.summaries import describe

__all__ = [
    "BundleFile",
    "DamagedError",
    "Loaded",
    "MissingDefinitionError",
    "NoSpaceError",
    "Saved",
    "Unsaveable",
    "Watch",
    "describe",
    "load",
    "save",
]
