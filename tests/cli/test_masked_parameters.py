"""Secrets among parameters: in no file, no argument, no output, and in the step all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kfnb
from kfnb.errors import UsageError
from tests.desk import Desk

pytestmark = pytest.mark.slow
SECRET = "hunter2-correct-horse"
PARAMETERS = ("parameters", "password = ''\nuser = 'nobody'\nlr = 0.5")
# It looks for the secret as other programs could: in arguments and variables of all processes.
LOOK = """
from pathlib import Path
places = []
for process in Path("/proc").glob("[0-9]*"):
    for name in ("cmdline", "environ"):
        try:
            if password.encode() in (process / name).read_bytes():
                places.append(f"{process}/{name}")
        except OSError:
            pass
ok = len(password), sum(map(ord, password)), places
print(*ok)
"""


def seen(home: Path, secret: str) -> list[str]:
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path) for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("templates", ["on", "off"])
def test_a_masked_value_is_in_the_step_and_nowhere_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, templates: str
) -> None:
    monkeypatch.setenv("KFNB_TEMPLATES", templates)
    path = desk.notebook(PARAMETERS, ("step:log_in", LOOK), ("step:use", "print(ok[0], lr)"))
    made = desk.kfnb("run", path, "-p", f"password={SECRET}", "-p", "lr=0.1", "--json")
    assert made.returncode == 0, made.stderr
    assert SECRET not in made.stdout + made.stderr
    printed = desk.kfnb("logs", "latest", "log_in").stdout
    assert printed == f"{len(SECRET)} {sum(map(ord, SECRET))} []\n"
    assert seen(desk.home, SECRET) == []
    notebook = Path(desk.kfnb("notebook", "latest", "log_in").stdout.strip()).read_text("utf-8")
    assert "# password = ***" in notebook
    status = json.loads(desk.kfnb("status", "latest", "--json").stdout)
    assert status["parameters"] == {"password": "***", "user": "nobody", "lr": 0.1}

    # Another value is another result, and the same value is not.
    again = desk.kfnb("run", path, "-p", f"password={SECRET}", "-p", "lr=0.1").stdout
    assert "2 cached" in again
    other = desk.kfnb("run", path, "-p", "password=other", "-p", "lr=0.1").stdout
    assert "log_in: started (parameter password changed)" in other
    assert seen(desk.home, SECRET) == []


def test_names_are_masked_or_not_as_the_call_says(desk: Desk) -> None:
    path = desk.notebook(PARAMETERS, ("step:a", "n = len(password + user)\nprint(n)"))
    options = ("--mask", "user", "--no-mask", "password")
    made = desk.kfnb("run", path, "-p", "user=ada-lovelace", "-p", "password=open-one", *options)
    assert made.returncode == 0, made.stderr
    assert desk.kfnb("logs", "latest", "a").stdout == "20\n"
    assert seen(desk.home, "ada-lovelace") == []
    assert seen(desk.home, "open-one")
    wrong = desk.kfnb("run", path, "--mask", "usr")
    assert wrong.returncode == 2
    assert 'Did you mean "user"?' in wrong.stderr


def test_a_resumed_run_needs_the_value_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFNB_HOME", str(desk.home))
    cell = "from pathlib import Path\nassert Path('go').exists()\nprint(len(password))"
    path = desk.notebook(PARAMETERS, ("step:a", cell))
    assert desk.kfnb("run", path, "-p", f"password={SECRET}").returncode == 1
    (path.parent / "go").touch()
    without = desk.kfnb("resume")
    assert without.returncode == 1
    assert "is masked, so it was not stored" in without.stdout + without.stderr
    assert f"kfnb resume {kfnb.open_run('latest').id} -p password=…" in without.stdout
    wrong = desk.kfnb("resume", "-p", "password=other")
    assert wrong.returncode == 2
    assert "with which the run" in wrong.stderr
    with pytest.raises(UsageError, match="masked"):
        kfnb.open_run("latest").resume(parameters={"lr": 1.0})
    assert desk.kfnb("resume", "-p", f"password={SECRET}").returncode == 0
    assert desk.kfnb("logs", "latest").stdout.endswith(f"{len(SECRET)}\n")
    assert seen(desk.home, SECRET) == []


def test_values_of_env_and_of_the_environment_are_in_no_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SERVICE", "from-the-environment")
    cell = "import os\nprint(len(os.environ['MODE']), len(os.environ['MY_SERVICE']))"
    path = desk.notebook((["step:a", "env:MODE=from-the-tag"], cell))
    made = desk.kfnb("run", path)
    assert made.returncode == 0, made.stderr
    assert desk.kfnb("logs", "latest", "a").stdout == "12 20\n"
    assert seen(desk.home, "from-the-environment") == []
    # The tag itself stands in the notebook, and so in its copies, of which the store has one.
    others = [file for file in seen(desk.home, "from-the-tag") if not is_notebook(Path(file))]
    assert {Path(file).name for file in others} <= {"pipeline.json"}


def is_notebook(file: Path) -> bool:
    return b'"nbformat_minor"' in file.read_bytes()
