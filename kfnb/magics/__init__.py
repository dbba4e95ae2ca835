"""``%load_ext kfnb``: ``%%step`` and ``%pipeline`` in a live kernel.

Loading only registers the names. A command imports what it needs when it is called, so that the
extension costs a notebook next to nothing.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from kfnb.magics.session import Session

# Weak, so that a shell that is gone does not stay in memory.
_loaded: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def load(shell: Any) -> None:
    """Register the magics with a shell. Calling it again does nothing."""
    if shell in _loaded:
        return
    from kfnb.magics import completion, step
    from kfnb.magics.line import pipeline_magic

    session = _loaded[shell] = Session(shell)
    shell.input_transformers_cleanup.append(step.as_comment)
    shell.register_magic_function(step.step_magic(shell), "cell", "step")
    shell.register_magic_function(pipeline_magic(session), "line", "pipeline")
    shell.events.register("pre_run_cell", session.record_cell)
    completion.attach(session)


def unload(shell: Any) -> None:
    """Undo :func:`load`."""
    session = _loaded.pop(shell, None)
    if session is None:
        return
    from kfnb.magics import completion, step

    shell.input_transformers_cleanup.remove(step.as_comment)
    # IPython has no function that removes a magic.
    for kind, name in (("cell", "step"), ("line", "pipeline")):
        shell.magics_manager.magics[kind].pop(name, None)
    shell.events.unregister("pre_run_cell", session.record_cell)
    completion.detach(session)
