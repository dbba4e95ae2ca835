"""Names, parameters and errors are text, whatever stands in them: on a terminal too."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest

NAMES = (
    "\x1b]0;owned\x07title",
    "\x1b[2Jcleared",
    "two\nlines",
    "<script>alert(1)</script>",
    '"; DROP TABLE steps; --',
    "{__import__('os').system('touch owned')}",
    "$(touch owned)",
    "%pipeline run",
    "\u202ereversed",
    "--from",
    "a.b.c",
    "   ",
)


def book(desk):
    """A step for each name; each reads what the one before it made."""
    path = desk.notebook(("skip", "%load_ext kfnb"), name="hostile.ipynb")
    plain = json.loads(path.read_text())
    for n, name in enumerate(NAMES):
        source = f"v{n} = {'v' + str(n - 1) if n else '[]'}\nprint(v{n})"
        plain["cells"].append(
            {
                "cell_type": "code", "id": f"h{n}", "outputs": [], "execution_count": None,
                "metadata": {"kfnb": {"role": "step", "step": name}}, "source": source,
            }
        )  # fmt: skip
    plain["cells"][-1]["source"] += f"\nraise ValueError({''.join(NAMES)!r})"
    path.write_text(json.dumps(plain))
    return path


def harmless(text: str) -> None:
    odd = {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"}
    assert not odd, f"{odd!r} in {text!r}"


@pytest.fixture
def said(ipython, desk, monkeypatch):
    book(desk)
    typed = ipython("%pipeline check --notebook hostile.ipynb")
    harmless(typed.text)
    yield ipython
    assert not (desk.folder / "owned").exists()


def test_before_a_run(said):
    for line in ("show", "check", "--help"):
        harmless(said(f"%pipeline {line}").text)
    for name in NAMES:
        for line in (f"logs {name}", f"run --from '{name}x'", f"load {name}.x", f"status {name}"):
            harmless(said(f"%pipeline {line}").text)
        harmless(said(f"%%step {name} --memroy 1\n1").text)


@pytest.mark.slow
def test_after_a_run(said):
    harmless(said("%pipeline run").text)
    for line in ("status", "runs", "debug", "load a.b.c.v10", "show --run latest", "run --no-wait"):
        harmless(said(f"%pipeline {line}").text)
    said("%pipeline stop")
    harmless(said("%pipeline compare").text)
    headers = re.findall("==> .*", said("%pipeline logs").text)
    harmless("\n".join(headers))
    for name in NAMES:
        harmless(said(f"%pipeline debug {name}").text)
