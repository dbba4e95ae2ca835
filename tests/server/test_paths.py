"""Paths of the contents manager, and files outside of its root."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfnb.server.paths import file_of, path_of
from kfnb.server.problems import ProblemError


def test_a_path_is_a_file_below_the_root() -> None:
    assert file_of("a/b.ipynb", "/srv") == Path("/srv/a/b.ipynb")
    assert path_of("/srv/a/b.ipynb", "/srv") == "a/b.ipynb"


@pytest.mark.parametrize("path", ["..", "a/../b", "/..", "", "/", "a//b", ".a/b", "a\0b", "./a"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ProblemError) as refused:
        file_of(path, "/srv")
    assert refused.value.status == 404


def test_a_server_without_files_says_so() -> None:
    with pytest.raises(ProblemError) as refused:
        file_of("a.ipynb", None)
    assert refused.value.status == 501


def test_a_file_that_the_server_does_not_show_has_no_path(tmp_path: Path) -> None:
    assert path_of("/etc/a.ipynb", "/srv") is None
    assert path_of("/srv/.hidden/a.ipynb", "/srv") is None
    assert path_of(None, "/srv") is None
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    # Runs record paths with links resolved.
    assert path_of(tmp_path / "real" / "a.ipynb", str(tmp_path / "link")) == "a.ipynb"
