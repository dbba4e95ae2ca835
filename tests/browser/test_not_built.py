"""A checkout that was installed where no node was: a picture instead, and the reason."""

from __future__ import annotations

import shutil
from urllib.parse import unquote

from tests.browser import books, conditions
from tests.browser.view import expect


def test_the_picture_is_shown_and_why(desk, opened, shoot, tmp_path):
    without = tmp_path / "without"
    ignored = shutil.ignore_patterns("static", "__pycache__")
    shutil.copytree(conditions.ROOT / "kfnb", without / "kfnb", ignore=ignored)
    path, gates = books.training(desk)
    gates.open(*books.STEPS)
    book = opened(path)
    book.do(f"import sys\nsys.path.insert(0, {str(without)!r})")
    book.run(0)
    out = book.do("%pipeline show")
    picture = out.locator(".jp-RenderedSVG img")
    expect(picture).to_be_visible()
    shoot("not-built")
    text = unquote(picture.get_attribute("src") or "")
    for said in (*books.STEPS, "node 20", "kfnb again"):
        assert said in text
