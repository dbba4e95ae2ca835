"""All messages stand in one file, so that a change of one is read with the others."""

from __future__ import annotations

import os
from pathlib import Path

from kfnb.notebook.diagnostics import CODES
from tests.messages import codes_page, markdown

GOLDEN = Path(__file__).parent / "golden" / "messages.md"
PAGE = Path(__file__).parents[1] / "docs" / "diagnostics.md"


def test_the_messages_are_those_of_the_golden_file() -> None:
    now = markdown()
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(now, "utf-8")
    assert now == GOLDEN.read_text("utf-8"), "KFNB_UPDATE_GOLDEN=1 writes it again; read the diff"


def test_the_page_of_diagnostics_lists_every_code() -> None:
    now = codes_page()
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        PAGE.write_text(now, "utf-8")
    assert now == PAGE.read_text("utf-8"), "KFNB_UPDATE_GOLDEN=1 writes it again"
    assert all(f"| {code} |" in now for code in CODES)
