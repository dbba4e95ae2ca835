"""The widget of a view, based on anywidget. Imported when the first view is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from kfnb import __version__
from kfnb.live import bundle

Traits = Callable[[], Mapping[str, Any]]
_COMPUTED = ("graph", "run", "state")


class Model(anywidget.AnyWidget):
    """The kernel's half of a view: the synced traits and the messages.

    Parameters
    ----------
    traits
        Returns ``graph``, ``run`` and ``state`` whenever a page asks for them, so that nothing is
        copied into the widget during a run.
    slot
        The slot in the page that the widget moves into; empty for an ordinary widget.
    ui
        What is shown first.
    on_message
        Called with each message of a page.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode("").tag(sync=True)
    engine = traitlets.Unicode("").tag(sync=True)
    version = traitlets.Unicode(__version__).tag(sync=True)
    slot = traitlets.Unicode("").tag(sync=True)
    graph = traitlets.Any(None, allow_none=True).tag(sync=True)
    run = traitlets.Any(None, allow_none=True).tag(sync=True)
    state = traitlets.Any(None, allow_none=True).tag(sync=True)
    ui = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        traits: Traits,
        *,
        slot: str,
        ui: Mapping[str, Any],
        on_message: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._compute = traits
        super().__init__(_esm=bundle.loader(), engine=bundle.engine_hash(), slot=slot, ui=dict(ui))
        self.on_msg(lambda _widget, content, _buffers: on_message(content))
        # JupyterLab sends messages to a subshell, so that they are handled while a cell executes,
        # but ipykernel 7.4 forwards them to the shell that opened the widget, which is busy.
        if hasattr(self.comm, "_reply_subshell_for"):
            original = self.comm._reply_subshell_for
            # A page that missed a restart names a subshell that no longer exists.
            self.comm._reply_subshell_for = lambda data, subshell: (
                subshell if _subshell_exists(subshell) else original(data, None)
            )

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return the synced traits, with those that a run changes computed now."""
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        wanted = [key] if isinstance(key, str) else key
        if wanted is None or set(_COMPUTED) & set(wanted):
            computed = self._compute()
            state.update({k: v for k, v in computed.items() if wanted is None or k in wanted})
        return state


def _subshell_exists(subshell: str | None) -> bool:
    """Whether this kernel has a subshell of that id; None stands for the main shell."""
    if subshell is None:
        return True
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    # Only ipykernel 7 and newer have subshells.
    manager = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    return manager is not None and subshell in manager.list_subshell()
