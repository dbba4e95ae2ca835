"""All messages stand in one file, so that a change of one is read with the others."""

from __future__ import annotations

import os
from pathlib import Path

from tests.messages import markdown

GOLDEN = Path(__file__).parent / "golden" / "messages.md"


def test_the_messages_are_those_of_the_golden_file() -> None:
    now = markdown()
    if os.environ.get("KFNB_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(now, "utf-8")
    assert now == GOLDEN.read_text("utf-8"), "KFNB_UPDATE_GOLDEN=1 writes it again; read the diff"
