"""Starting IPython's kernel without its debugger, whose import takes a third of the kernel's start.

ipykernel imports debugpy for front ends that debug cells; no front end is connected to a step. The
cells themselves can import it.
"""

from __future__ import annotations

from collections.abc import Sequence

_LAUNCHER = ("-m", "ipykernel_launcher")
# An import of what is None in sys.modules fails, and ipykernel does without it then.
START = (
    "import runpy, sys; sys.modules['debugpy'] = None; "
    "runpy.run_module('ipykernel_launcher', run_name='__main__', alter_sys=True)"
)

ALLOW_DEBUGGER = (
    '(lambda modules: modules.get("debugpy", modules) is None and modules.pop("debugpy"))'
    '(__import__("sys").modules)\n'
)
"""Source that a kernel executes first, so that cells can import debugpy."""


def without_debugger(command: Sequence[str]) -> list[str]:
    """Return a kernelspec's command line with ipykernel's launcher started without debugpy.

    Command lines that start something else are returned as they are.

    >>> without_debugger(["python", "-m", "ipykernel_launcher", "-f", "c.json"])[3:]
    ['-f', 'c.json']
    """
    words = list(command)
    for at in range(len(words) - 1):
        if tuple(words[at : at + 2]) == _LAUNCHER:
            words[at : at + 2] = ["-c", START]
            break
    return words
