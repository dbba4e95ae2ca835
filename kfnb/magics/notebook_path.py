"""Find the path of the notebook whose cells a kernel executes, which Jupyter's protocol lacks.

Sources, in this order: a variable that VS Code sets in the kernel; the sessions of the Jupyter
server that started the kernel, which follow a renamed notebook; the kernel's environment, as the
server set it at the start; the command line of nbconvert, papermill and their like; and the only
notebook in the working directory that has every cell executed so far.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SERVER_TIMEOUT = 1.0
"""How long to wait for the Jupyter server's answer."""

_PROGRAMS = re.compile(r"(?:(?:jupyter-)?(nbconvert|papermill|nbclient)|jupyter-(execute|run))")
_ANY_ADDRESS = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# Only so much is read to recognise a notebook, so that a command stays fast.
_MAX_FILES, _MAX_BYTES = 200, 20_000_000


@dataclass(frozen=True, slots=True)
class NotebookLocation:
    """A notebook's path.

    Parameters
    ----------
    edited
        Whether it is open in a front end, where it may have unsaved changes.
    note
        A remark for the user about how it was found.
    """

    path: Path
    edited: bool = False
    note: str = ""


def find(shell: Any) -> NotebookLocation | None:
    """Find the notebook of this kernel; None if that is not possible."""
    named = shell.user_ns.get("__vsc_ipynb_file__")
    if isinstance(named, str) and Path(named).is_file():
        return NotebookLocation(Path(named), edited=True)
    served = _notebook_of_session(_kernel_id())
    if served is not None:
        return NotebookLocation(served, edited=True)
    session = Path(os.environ.get("JPY_SESSION_NAME") or "")
    if session.suffix == ".ipynb" and session.is_file():
        return NotebookLocation(session, edited=True)
    inputs = [text for text in shell.history_manager.input_hist_raw if text.strip()]
    program = executing_program()
    if program is not None:
        return _notebook_of_program(program, inputs)
    return _only_matching_file(inputs)


def unknown(*, in_notebook: bool) -> str:
    """Return the error for a notebook that cannot be found."""
    if in_notebook:
        return (
            "The path of this notebook cannot be found. Save the notebook, or give its path: "
            "%pipeline COMMAND --notebook PATH"
        )
    return (
        "This kernel does not belong to a notebook. Give a path: %pipeline COMMAND --notebook PATH"
    )


# The Jupyter server


def _kernel_id() -> str | None:
    """Return the id under which the server knows this kernel."""
    with contextlib.suppress(Exception):  # not an ipykernel
        from ipykernel.connect import get_connection_file

        match = re.fullmatch(r"kernel-(.+)\.json", Path(get_connection_file()).name)
        return match[1] if match else None
    return None


def _notebook_of_session(kernel: str | None) -> Path | None:
    """Ask the server that started this kernel which notebook it belongs to."""
    server = _server_info(os.environ.get("JPY_PARENT_PID")) if kernel else None
    if server is None:
        return None
    for session in _sessions(server):
        if (session.get("kernel") or {}).get("id") != kernel or session.get("type") != "notebook":
            continue
        # With real-time collaboration the path follows the name of a drive.
        listed = str(session.get("path") or "")
        for path in (listed, listed.partition(":")[2]):
            notebook = Path(str(server.get("root_dir") or ".")) / path
            if path and notebook.is_file():
                return notebook
    return None


def _server_info(parent: str | None) -> dict[str, Any] | None:
    """Read the file with address and token of the server that is our parent process."""
    from jupyter_core.paths import jupyter_runtime_dir

    # Jupyter Server writes the first file, the server of Notebook 6 the second.
    for kind in ("jpserver", "nbserver"):
        with contextlib.suppress(OSError, ValueError):
            plain = json.loads((Path(jupyter_runtime_dir()) / f"{kind}-{parent}.json").read_bytes())
            # urllib cannot connect to a Unix socket.
            if isinstance(plain, dict) and plain.get("port") and not plain.get("sock"):
                return plain
    return None


def _sessions(server: dict[str, Any]) -> list[dict[str, Any]]:
    from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

    host = str(server.get("hostname") or "")
    host = _ANY_ADDRESS.get(host, host)
    scheme = "https" if server.get("secure") else "http"
    base = str(server.get("base_url") or "/")
    # A server of JupyterHub has no token of its own, and accepts the user's.
    token = server.get("token") or os.environ.get("JUPYTERHUB_API_TOKEN")
    secure = ssl.create_default_context()
    if host in _LOOPBACK:  # its certificate is self-signed
        secure.check_hostname = False
        secure.verify_mode = ssl.CERT_NONE
    request = Request(f"{scheme}://{host}:{server['port']}{base}api/sessions")  # noqa: S310
    if token:
        request.add_header("Authorization", f"token {token}")
    # A proxy for the web must not be asked about a server on this machine.
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=secure))
    with (
        contextlib.suppress(OSError, ValueError),
        opener.open(request, timeout=SERVER_TIMEOUT) as reply,
    ):
        sessions = json.loads(reply.read())
        return (
            [one for one in sessions if isinstance(one, dict)] if isinstance(sessions, list) else []
        )
    return []


# Programs that execute notebooks


@dataclass(frozen=True, slots=True)
class Program:
    """A program that executes notebooks: its name, and the notebooks on its command line."""

    name: str
    notebooks: tuple[Path, ...]


@cache
def executing_program() -> Program | None:
    """Return the program that executes this kernel's cells; None if a person does."""
    words, folder = _parent()
    for name in _names(words):
        if (match := _PROGRAMS.fullmatch(name)) is not None:
            books = (folder / word for word in words if word.endswith(".ipynb"))
            return Program(match[1] or match[2], tuple(book for book in books if book.is_file()))
    return None


def opens_links_in_new_tab() -> bool:
    """Whether the page opens a link to its own notebook in another tab, as Notebook 7 does.

    The kernel does not know the page, but it knows the program of its server.
    """
    return not {"jupyter-notebook", "notebook"}.isdisjoint(_names(_parent()[0]))


# A kernel has one parent as long as it lives.
@cache
def _parent() -> tuple[list[str], Path]:
    """Return the command line and working directory of the process that started the kernel."""
    import psutil

    with contextlib.suppress(psutil.Error, ValueError, OSError):
        parent = psutil.Process(int(os.environ.get("JPY_PARENT_PID") or os.getppid()))
        return parent.cmdline(), Path(parent.cwd())
    return [], Path()


def _names(words: Sequence[str]) -> list[str]:
    """Return the words that may name a program: interpreter, script, module or subcommand."""
    # Later words are arguments, and these may contain a program's name too.
    return [Path(word).name for word in words[:4]]


def _notebook_of_program(program: Program, inputs: Sequence[str]) -> NotebookLocation | None:
    """Choose the notebook that is executed: papermill's input, else the one with our cells."""
    books = program.notebooks[:1] if program.name == "papermill" else program.notebooks
    if len(books) > 1:
        books = tuple(book for book in books if _has_cells(book, inputs))
    return NotebookLocation(books[0]) if len(books) == 1 else None


# Files


def _only_matching_file(inputs: Sequence[str]) -> NotebookLocation | None:
    """Find the one notebook in the working directory that has every cell executed so far."""
    matching = [path for path in _notebooks(Path.cwd()) if _has_cells(path, inputs)]
    if len(matching) != 1 or not inputs:
        return None
    note = (
        f"This notebook was recognised by its cells as {matching[0]}. If that is wrong, use "
        "--notebook PATH."
    )
    return NotebookLocation(matching[0], edited=True, note=note)


def _notebooks(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for path in sorted(folder.glob("*.ipynb"))[:_MAX_FILES]:
            if path.is_file() and path.stat().st_size <= _MAX_BYTES:
                yield path


def _has_cells(path: Path, inputs: Iterable[str]) -> bool:
    """Whether a notebook has all these cells, except those that papermill injects."""
    try:
        plain = json.loads(path.read_bytes())
        sources = {"".join(cell["source"]).strip() for cell in plain["cells"]}
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return all(text.strip() in sources for text in inputs if not text.startswith("# Parameters\n"))
