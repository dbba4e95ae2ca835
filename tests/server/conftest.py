"""A Jupyter server with the extension. The part ``server`` of dev.py has what these tests need."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

collect_ignore = (
    []
    if "pytest_jupyter.jupyter_server" in sys.modules
    else ["test_http.py", "test_live.py", "test_limits.py", "test_program.py", "test_contract.py"]
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a KFNB_HOME of its own, which the server's processes use too."""
    monkeypatch.setenv("KFNB_HOME", str(tmp_path / "kfnb-home"))
    monkeypatch.setenv("KFNB_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("KFNB_STEP", raising=False)
    return tmp_path / "kfnb-home"


@pytest.fixture
def settings() -> dict[str, Any]:
    """Return the extension's traits; a test may override this fixture."""
    return {}


@pytest.fixture
def jp_server_config(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "ServerApp": {"jpserver_extensions": {"kfnb.server": True}},
        "Kfnb": settings,
    }


@pytest.fixture
def book(jp_root_dir: Path) -> Callable[..., Path]:
    """Return a function that writes a notebook into the server's folder."""

    def write(*cells: tuple[str, str], name: str = "nb.ipynb") -> Path:
        plain = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"c{n}",
                    "execution_count": None,
                    "outputs": [],
                    "metadata": {"tags": [tag] if tag else []},
                    "source": source,
                }
                for n, (tag, source) in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = Path(jp_root_dir) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(plain))
        return path

    return write
