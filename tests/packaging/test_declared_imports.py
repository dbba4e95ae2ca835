"""Every package that kfnb imports is declared in pyproject.toml, and explained in README.md."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import kfnb

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {
    "IPython": "ipython",
    "websocket": "websocket-client",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
ONLY_IF_THE_NOTEBOOK_HAS_IT = {"numpy", "polars"}
"""The notebook's own libraries, imported by functions that rebuild its values."""


def imported() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in sorted((ROOT / "kfnb").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                found.setdefault(name.partition(".")[0], file.relative_to(ROOT))
    own = {"kfnb", *sys.stdlib_module_names, "_typeshed", *ONLY_IF_THE_NOTEBOOK_HAS_IT}
    return {name: file for name, file in found.items() if name not in own}


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["kubernetes"], *extras["s3"], *extras["lab"]]
    return {re.split(r"[><=!~\[; ]", line)[0].lower() for line in wanted}


def test_every_imported_package_is_declared() -> None:
    names = declared()
    missing = {
        name: str(file)
        for name, file in imported().items()
        if DISTRIBUTIONS.get(name, name).lower() not in names
    }
    assert not missing


def test_every_declared_package_is_explained_in_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("## Dependencies")[2].partition("\n## ")[0]
    explained = set(re.findall(r"[\w-]+", table.lower()))
    assert declared() - {"tomli"} <= explained


def test_every_extra_is_explained_in_the_readme() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [one for one in project["optional-dependencies"] if f"`[{one}]`" not in readme] == []


def test_the_package_is_listed_as_an_extension_of_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prebuilt = "Framework :: Jupyter :: JupyterLab :: Extensions :: Prebuilt"
    assert prebuilt in project["classifiers"]
    assert project["urls"].keys() >= {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    page = json.loads((ROOT / "labextension" / "package.json").read_text("utf-8"))
    assert {page["version"], project["version"]} == {kfnb.__version__}


BROWSER = """
import sys
for name in {blocked}:
    sys.modules[name] = None
import kfnb
from kfnb.widgets import PipelineView
read = kfnb.read({notebook!r})
print(list(read.steps), list(PipelineView(read)._repr_mimebundle_()))
from click.testing import CliRunner
from kfnb.cli.main import cli
print(CliRunner().invoke(cli, ["show", {notebook!r}]).output)
"""


def test_notebooks_are_read_and_drawn_without_what_does_not_exist_in_a_web_page() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    absent = re.findall(r'"([\w.-]+)[^"]*; sys_platform != \'emscripten\'"', text)
    assert {"psutil", "pyzmq"} <= set(absent)
    modules = {"pyzmq": "zmq"}
    notebook = str(ROOT / "examples" / "hello" / "hello.ipynb")
    code = BROWSER.format(blocked=[modules.get(one, one) for one in absent], notebook=notebook)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "image/svg+xml" in done.stdout
    assert "throw dice ──" in done.stdout
