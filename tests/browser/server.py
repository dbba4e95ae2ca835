"""A real Jupyter server on loopback, with folders of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser import conditions
from tests.waiting import PATIENCE

_START = 60.0
BASE_URL = "/user/ann/"
"""As JupyterHub starts servers: what a page asks for must not begin with a plain slash."""
LABEXTENSIONS = conditions.ROOT / "kfnb" / "labextension"
_SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    # By default JupyterLab drops the completions of a kernel that takes a second.
    "@jupyterlab/completer-extension/manager.jupyterlab-settings": {"providerTimeout": 60_000},
    # Typed text arrives as typed: no bracket or quote is closed by the editor.
    "@jupyterlab/codemirror-extension/plugin.jupyterlab-settings": {
        "defaultConfig": {"autoClosingBrackets": False}
    },
}


@dataclass(frozen=True)
class Server:
    """``root`` is the folder that it shows, ``home`` the ``KFNB_HOME`` of its kernels."""

    url: str
    token: str
    root: Path
    home: Path
    settings: Path
    log: Path

    def address(self, front: str, path: str) -> str:
        """Return where a notebook opens: in JupyterLab (``lab``) or Notebook 7 (``notebook``)."""
        place = f"lab/tree/{path}?reset&" if front == "lab" else f"notebooks/{path}?"
        return f"{self.url}{place}token={self.token}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Call the server's own interface."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def close_kernels(self) -> None:
        """End all kernels, also one that is being restarted at the moment."""
        deadline = time.monotonic() + PATIENCE
        while sessions := self.ask("GET", "api/sessions"):
            assert time.monotonic() < deadline, sessions
            for session in sessions:
                # 404: it ended with another session of its kernel; 500: the kernel restarts.
                with suppress(urllib.error.HTTPError):
                    self.ask("DELETE", f"api/sessions/{session['id']}")

    def configure(self, **settings: dict[str, Any]) -> None:
        """Set settings of a JupyterLab plugin, named by what stands after ``@``.

        ``theme`` and ``widgets`` stand for the plugins that the tests change.
        """
        names = {
            "theme": "@jupyterlab/apputils-extension/themes",
            "widgets": "@jupyter-widgets/jupyterlab-manager/plugin",
        }
        for name, values in settings.items():
            _write(self.settings / f"{names[name]}.jupyterlab-settings", values)


@contextmanager
def serving(base: Path, *, extension: bool = True) -> Iterator[Server]:
    """Start a server that knows nothing of the user's own Jupyter; stop it, kernels included.

    Without ``extension``, its pages do not load that of kfnb.
    """
    made = {name: base / name for name in ("root", "home", "runtime", "settings", "user")}
    for folder in made.values():
        folder.mkdir(parents=True)
    for name, values in _SETTINGS.items():
        _write(made["settings"] / name, values)
    log = base / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(made["root"], LABEXTENSIONS if extension else base / "no extensions"),
            cwd=made["root"],
            env=_environment(base, made),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        about = _wait(made["runtime"] / f"jpserver-{process.pid}.json", process, log)
        server = Server(
            url=f"http://127.0.0.1:{about['port']}{BASE_URL}",
            token=about["token"],
            root=made["root"],
            home=made["home"],
            settings=made["settings"],
            log=log,
        )
        _until_it_answers(server, process, log)
        yield server
        server.close_kernels()
    finally:
        _stop(process)


def _command(root: Path, extensions: Path) -> list[str]:
    # JupyterLab's server also serves Notebook 7, below /notebooks.
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": "0",
        "ServerApp.open_browser": "False",
        "ServerApp.root_dir": str(root),
        "ServerApp.allow_root": "True",
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "ServerApp.base_url": BASE_URL,
        "LabApp.extension_manager": "readonly",
        # The extension as it was built last; an installed one is a copy.
        "LabApp.extra_labextensions_path": str(extensions),
        "JupyterNotebookApp.extra_labextensions_path": str(extensions),
    }
    return [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]


def _environment(base: Path, made: dict[str, Path]) -> dict[str, str]:
    theirs = {
        k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "KFNB_", "IPYTHON"))
    }
    return {
        **theirs,
        "HOME": str(made["user"]),
        "IPYTHONDIR": str(base / "ipython"),
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(made["runtime"]),
        "JUPYTERHUB_SERVICE_PREFIX": BASE_URL,
        "JUPYTERHUB_USER": "ann",
        "JUPYTERLAB_SETTINGS_DIR": str(made["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "KFNB_HOME": str(made["home"]),
        "XDG_RUNTIME_DIR": str(made["runtime"]),
    }


def _wait(file: Path, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """Wait for the file in which a server says its port."""
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            about: dict[str, Any] = json.loads(file.read_bytes())
        except (OSError, ValueError):
            time.sleep(0.1)
        else:
            return about
    raise AssertionError(f"Jupyter did not start:\n{log.read_text()[-3000:]}")


def _until_it_answers(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.ask("GET", "api/status")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"Jupyter does not answer:\n{log.read_text()[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
