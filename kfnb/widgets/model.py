"""The widget as ipywidgets and anywidget know it. Imported when the first one is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from kfnb.live import bundle

Traits = Callable[[], Mapping[str, Any]]
_FRESH = ("graph", "run", "state")


class Model(anywidget.AnyWidget):
    """The kernel's half of a view: what is synced, and the way to the page.

    Parameters
    ----------
    traits
        Gives ``graph``, ``run`` and ``state`` as they are when a page asks for them: nothing
        is copied into the widget while a run goes on.
    place
        Name of the output that the widget looks for in the page; empty: shown where it is put.
    ui
        What is shown first.
    heard
        Called with each message of a page.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode("").tag(sync=True)
    engine = traitlets.Unicode("").tag(sync=True)
    place = traitlets.Unicode("").tag(sync=True)
    graph = traitlets.Any(None, allow_none=True).tag(sync=True)
    run = traitlets.Any(None, allow_none=True).tag(sync=True)
    state = traitlets.Any(None, allow_none=True).tag(sync=True)
    ui = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        traits: Traits,
        *,
        place: str,
        ui: Mapping[str, Any],
        heard: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._fresh = traits
        super().__init__(
            _esm=bundle.loader(), engine=bundle.engine_hash(), place=place, ui=dict(ui)
        )
        self.on_msg(lambda _widget, content, _buffers: heard(content))
        # JupyterLab asks in a subshell, so that we can answer while a cell executes. ipykernel 7.4
        # brings such messages back to the shell that opened the widget: the one that is busy.
        if hasattr(self.comm, "_reply_subshell_for"):
            ours = self.comm._reply_subshell_for
            # A page that did not see a restart still asks in a subshell that went with it.
            self.comm._reply_subshell_for = lambda data, subshell: (
                subshell if _is_there(subshell) else ours(data, None)
            )

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Give the synced traits; what a run changes is told as it is now."""
        told: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        wanted = [key] if isinstance(key, str) else key
        if wanted is None or set(_FRESH) & set(wanted):
            told.update({k: v for k, v in self._fresh().items() if wanted is None or k in wanted})
        return told


def _is_there(subshell: str | None) -> bool:
    """Whether this kernel has a subshell; the main one it always has."""
    if subshell is None:
        return True
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    manager = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    return manager is not None and subshell in manager.list_subshell()
