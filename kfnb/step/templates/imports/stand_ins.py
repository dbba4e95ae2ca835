"""What an import finds in place of the kernel, which does not exist yet.

Libraries look for the notebook when they are imported: at the streams, which the kernel replaces,
and at its shell. Here they find stand-ins that notice what is asked of them. An import that only
looks whether there is a kernel gets the answer that it would get in one; any other use is left to
the children.
"""

from __future__ import annotations

import builtins
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StreamStandIn(io.TextIOBase):
    """Takes the place of ``sys.stdout`` or ``sys.stderr`` during the imports.

    A library may keep it, in a handler of a logger or as the default of a parameter. In a child it
    stands for the kernel's stream, which the library would have kept there.
    """

    encoding = "UTF-8"
    _stream: Any = None
    printed = ""

    def __getattribute__(self, name: str) -> Any:
        """Return what the kernel's stream has, once there is one."""
        stream = object.__getattribute__(self, "_stream")
        if stream is None or name in ("stand_for", "_stream"):
            return object.__getattribute__(self, name)
        return getattr(stream, name)

    def stand_for(self, stream: Any) -> None:
        """Use the kernel's stream from now on."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Remember what is printed."""
        self.printed += text
        return len(text)

    def writable(self) -> bool:
        """Return what the kernel's streams return."""
        return True


class ZMQInteractiveShell:
    """Named as the kernel's shell, because some libraries look at the name."""

    __module__ = "ipykernel.zmqshell"
    kernel = object()

    def __init__(self) -> None:
        self.used: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """Remember what is looked up, which only the kernel's own shell could answer."""
        self.used.append(name)
        raise AttributeError(name)


class StandIns:
    """The stand-ins for all imports of a template."""

    def __init__(self) -> None:
        self._streams = {"stdout": StreamStandIn(), "stderr": StreamStandIn()}
        self._shell = ZMQInteractiveShell()
        self._replaced: list[str] = []

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put them in place for the time of an import."""
        before = {name: getattr(sys, name) for name in self._streams}
        for name, stream in self._streams.items():
            setattr(sys, name, stream)
            stream.printed = ""
        self._shell.used.clear()
        interactive = _interactive_shell_class()
        builtins.get_ipython = lambda: self._shell  # type: ignore[attr-defined]
        if interactive is not None:
            interactive.initialized, interactive.instance = _given(self._shell)
        try:
            yield
        finally:
            if interactive is not None:
                del interactive.initialized, interactive.instance
            if hasattr(builtins, "get_ipython"):
                del builtins.get_ipython
            self._replaced = [n for n, s in self._streams.items() if getattr(sys, n) is not s]
            for name, stream in before.items():
                setattr(sys, name, stream)

    def effect(self) -> str | None:
        """Say what the last import did with them that a child must do itself; None for nothing."""
        for name, stream in self._streams.items():
            if stream.printed:
                return f"it prints: {stream.printed.strip()[:200]}"
            if name in self._replaced:
                return f"it replaces sys.{name}"
        if self._shell.used:
            return f"it uses the kernel's shell ({self._shell.used[0]})"
        return None

    def use_streams(self) -> None:
        """Have the streams stand for those that the kernel has put into ``sys`` by now."""
        for name, stream in self._streams.items():
            stream.stand_for(getattr(sys, name))


def _interactive_shell_class() -> Any:
    """Return the class that ``IPython.get_ipython`` asks for its instance."""
    module = sys.modules.get("IPython.core.interactiveshell")
    return getattr(module, "InteractiveShell", None)


def _given(shell: Any) -> tuple[Any, Any]:
    return classmethod(lambda _cls: True), classmethod(lambda _cls, *_a, **_k: shell)
