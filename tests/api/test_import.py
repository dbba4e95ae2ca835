"""``import kfnb`` costs next to nothing, and each command only what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"IPython", "click", "jupyter_client", "nbformat", "papermill", "psutil", "rich", "yaml"}


def loaded(code: str) -> set[str]:
    """The modules that some code loads, by -X importtime, in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    return {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if "|" in line}


def test_import_loads_nothing_of_ours_and_nothing_heavy() -> None:
    before = loaded("pass")
    extra = loaded("import kfnb") - before
    assert {name for name in extra if name.startswith("kfnb")} == {"kfnb"}
    assert not {name.partition(".")[0] for name in extra} & (HEAVY | {"asyncio", "dataclasses"})


def test_reading_loads_no_papermill_no_nbformat_no_ipython() -> None:
    names = loaded("from kfnb.notebook.reader import read; import kfnb; kfnb.read")
    assert not {name.partition(".")[0] for name in names} & HEAVY


def test_the_command_line_loads_rich_in_a_terminal_only() -> None:
    names = loaded("from kfnb.cli.main import cli; import kfnb.cli.run, kfnb.commands.following")
    assert not {name.partition(".")[0] for name in names} & (HEAVY - {"click"})


def test_a_name_that_is_not_there() -> None:
    import kfnb

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kfnb.nothing  # noqa: B018
    assert set(kfnb.__all__) <= set(dir(kfnb))
