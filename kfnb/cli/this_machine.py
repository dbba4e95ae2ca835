"""What ``kfnb doctor`` says about the machine that it runs on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kfnb.pipeline import Pipeline
from kfnb.runners.target import Finding, find_target

_LITTLE_MEMORY = 1 << 30
"""Bytes; a kernel with pandas and scikit-learn takes about a quarter of it."""

_LITTLE_SPACE = 1 << 30
_LONGEST_TEMPORARY = 80
"""Characters of a folder in which a socket's path still fits into what the system allows."""

_LABS = ("jupyterlab", "notebook")
_OLDEST_NODE = 20


def check_machine(pipeline: Pipeline | None) -> Iterator[Finding]:
    """Check everything that runs and live views on this machine need.

    Parameters
    ----------
    pipeline
        Its kernel is looked for; without one, the kernel "python3".
    """
    yield _python()
    yield from find_target("local").doctor(pipeline, {}, fix=False)
    yield _working_folder()
    yield _space()
    yield _temporary_folder()
    yield _memory()
    yield _cores()
    yield from _views()
    yield _cluster()


def _python() -> Finding:
    number = ".".join(map(str, sys.version_info[:3]))
    installed = f"kfnb {version('kfnb')} with Python {number}"
    return Finding("python", "ok", f"{installed} ({sys.executable}).")


def _working_folder() -> Finding:
    folder = Path.cwd()
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "folder",
            "warning",
            f"You may not write to {folder}. A step executes in the folder of its notebook, so one "
            "that writes a file there fails. Copy the notebook to a folder of yours.",
        )
    return Finding("folder", "ok", f"Steps of notebooks in {folder} may write files there.")


def _space() -> Finding:
    from kfnb.home import home

    folder = home()
    # The folder is created by the first run; its disk is that of the nearest one that exists.
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < _LITTLE_SPACE:
        return Finding(
            "space",
            "warning",
            f"Only {_gigabytes(free)} are free in {folder}. Remove old runs, or set KFNB_HOME to a "
            "folder on another disk.",
            ("kfnb clean --keep 10",),
        )
    return Finding("space", "ok", f"{_gigabytes(free)} are free for runs and values.")


def _temporary_folder() -> Finding:
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError as error:
        return Finding("temporary folder", "missing", f"{error.strerror}. Set TMPDIR to one.")
    if len(folder) > _LONGEST_TEMPORARY:
        return Finding(
            "temporary folder",
            "warning",
            f"The path of the temporary folder {folder} is too long for the sockets of kernels, so "
            "they are put elsewhere. Set TMPDIR to a shorter path.",
        )
    return Finding("temporary folder", "ok", f"Temporary files are in {folder}.")


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    limit = _container_limit()
    total = min(memory.total, limit) if limit else memory.total
    free = min(memory.available, total)
    sentence = f"{_gigabytes(free)} of {_gigabytes(total)} of memory are free"
    if free < _LITTLE_MEMORY:
        return Finding(
            "memory",
            "warning",
            f"{sentence}. Close other kernels, or start fewer steps at once (--parallel).",
        )
    return Finding("memory", "ok", f"{sentence}.")


def _container_limit() -> int:
    """Return the memory in bytes that a container may use; 0 if there is no limit."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text("ascii").strip()
        except (OSError, ValueError):
            continue
        return int(text) if text.isdigit() else 0
    return 0


def _cores() -> Finding:
    usable = find_target("local").parallel()
    of = f" of {os.cpu_count()}" if usable != os.cpu_count() else ""
    many = "core is" if usable == 1 else "cores are"
    return Finding(
        "cores", "ok", f"{usable}{of} {many} usable, so {usable} steps may execute at once."
    )


def _views() -> Iterator[Finding]:
    from kfnb.live import bundle

    problem = bundle.build_problem()
    if problem is not None:
        yield Finding("live views", "warning", problem)
        yield _node()
    else:
        yield Finding("live views", "ok", "The live views are built.")
    labs = [f"{name} {number}" for name in _LABS if (number := _version(name))]
    if not labs:
        yield Finding(
            "jupyter",
            "optional",
            "Neither JupyterLab nor Notebook is installed in this environment. If yours is in "
            "another one, the package jupyterlab_widgets must be there too.",
            ("pip install jupyterlab jupyterlab_widgets",),
        )
        return
    page, kernel = _version("jupyterlab_widgets"), _version("ipywidgets")
    if page is None:
        yield Finding(
            "jupyter",
            "warning",
            f"{' and '.join(labs)} cannot show live views without jupyterlab_widgets. Install it "
            "and load the page again.",
            ("pip install jupyterlab_widgets",),
        )
    # ipywidgets 8 speaks with jupyterlab_widgets 3: their majors differ by five.
    elif kernel is not None and _major(kernel) != _major(page) + 5:
        yield Finding(
            "jupyter",
            "warning",
            f"ipywidgets {kernel} does not fit to jupyterlab_widgets {page}, so pages may show no "
            "live views. Install both anew and load the page again.",
            ("pip install --upgrade ipywidgets jupyterlab_widgets",),
        )
    else:
        fit = f"jupyterlab_widgets {page}, ipywidgets {kernel}"
        yield Finding("jupyter", "ok", f"{' and '.join(labs)} can show live views ({fit}).")
    if problem is None:  # otherwise the panel was not built either
        yield _panel()


def _node() -> Finding:
    """Look for node, which only builds the live views of a checkout."""
    program = shutil.which("node")
    if program is None:
        return Finding(
            "node",
            "warning",
            "node is not on PATH, and building the live views needs it. In the checkout, this "
            "installs kfnb with a node of its own; a released wheel needs none.",
            ("KFNB_ENGINE=require pip install .",),
        )
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = done.stdout.strip().removeprefix("v")
    if _major(number) < _OLDEST_NODE:
        return Finding(
            "node",
            "warning",
            f"node {number or 'of an unknown version'} ({program}) is too old to build the live "
            f"views. Install node {_OLDEST_NODE} or newer, and then kfnb again.",
            ("pip install .",),
        )
    return Finding(
        "node",
        "warning",
        f"node {number} is on PATH, so the live views can be built: install kfnb again.",
        ("pip install .",),
    )


def _panel() -> Finding:
    """Compare the side panel that JupyterLab loads with the server's extension."""
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    server = version("kfnb")
    packages = [Path(path) for path in jupyter_path("labextensions", "kfnb", "package.json")]
    page = next((_page_version(path) for path in packages if path.is_file()), None)
    enabled = any(
        (Path(path) / "jupyter_server_config.d" / "kfnb.json").is_file()
        for path in jupyter_config_path()
    )
    if page is None:
        return Finding(
            "side panel",
            "warning",
            "JupyterLab has no side panel of kfnb here. Install kfnb again where JupyterLab is.",
            ("pip install --force-reinstall --no-deps kfnb",),
        )
    if page != server:
        return Finding(
            "side panel",
            "warning",
            f"The page has kfnb {page} and the server has kfnb {server}. Install kfnb again, "
            "restart the server and load the page again.",
            ("pip install --force-reinstall --no-deps kfnb",),
        )
    if not enabled:
        return Finding(
            "side panel",
            "warning",
            "The Jupyter server does not load kfnb, so the side panel can tag cells but not run "
            "them. Enable it and restart the server.",
            ("jupyter server extension enable --sys-prefix kfnb.server",),
        )
    return Finding("side panel", "ok", f"The side panel and the server's part are kfnb {server}.")


def _page_version(package: Path) -> str:
    try:
        return str(json.loads(package.read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return "of an unknown version"


def _cluster() -> Finding:
    if _version("kubernetes") is None:
        return Finding(
            "cluster",
            "optional",
            "To run on Kubernetes, install its client.",
            ("pip install 'kfnb[kubernetes]'",),
        )
    return Finding(
        "cluster",
        "optional",
        "To run on Kubernetes, you need an image, a store and a namespace; this checks them.",
        ("kfnb doctor --on kubernetes --image IMAGE --store s3://BUCKET/PREFIX",),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _major(number: str) -> int:
    first = number.partition(".")[0]
    return int(first) if first.isdigit() else 0


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):.1f} GB"
