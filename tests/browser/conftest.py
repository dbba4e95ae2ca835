"""Browser tests: Playwright drives the system's Chromium against a real Jupyter server.

``KFNB_ARTIFACTS`` names the folder for screenshots (default: ``.artifacts/browser`` in
the checkout). ``KFNB_BROWSER=required`` turns what would be a skip into a failure.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import conditions
from tests.browser.book import Book
from tests.browser.guard import Guard
from tests.browser.server import Server, serving
from tests.browser.view import PATIENCE
from tests.desk import Desk

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

Shoot = Callable[[str], Path]
HERE = Path(__file__).parent
_REPORT = pytest.StashKey[pytest.TestReport]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if call.when == "call":
        item.stash[_REPORT] = report
    return report


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots of this run of the tests are kept."""
    folder = Path(os.environ.get("KFNB_ARTIFACTS") or conditions.ROOT / ".artifacts" / "browser")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    conditions.need_packages()
    program = conditions.chromium_program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=conditions.FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    conditions.need_packages()
    conditions.need_engine()
    with serving(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture
def desk(jupyter: Server, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A folder of the server's, for this test, and the home that its kernels use."""
    folder = jupyter.root / _plain(request.node.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made = Desk(folder, jupyter.home)
    yield made
    jupyter.close_kernels()
    for run in made.runs():
        made.kfnb("stop", run.name)
        shutil.rmtree(run, ignore_errors=True)


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def context(chromium: Browser, guard: Guard) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 1200})
    made.set_default_timeout(PATIENCE)
    guard.watch(made)
    yield made
    made.close()


@pytest.fixture
def page(
    context: BrowserContext, guard: Guard, request: pytest.FixtureRequest, artifacts: Path
) -> Iterator[Page]:
    """A page that may ask nothing of another machine, whatever the test is about."""
    made = context.new_page()
    yield made
    report = request.node.stash.get(_REPORT, None)
    if report is None or report.failed:
        name = f"FAILED-{_plain(request.node.name)}"
        made.screenshot(path=artifacts / f"{name}.png")
        said = "\n".join([*guard.said, *guard.errors])
        (artifacts / f"{name}.console.txt").write_text(said)
    assert guard.left == [], "a request left the machine"


@pytest.fixture
def shoot(page: Page, artifacts: Path, request: pytest.FixtureRequest) -> Shoot:
    """Keep a screenshot, named by the test and a word of its own."""
    test = _plain(request.node.name).removeprefix("test_")

    def take(word: str) -> Path:
        path = artifacts / f"{test}--{word}.png"
        page.screenshot(path=path)
        return path

    return take


@pytest.fixture
def front() -> str:
    """The front end: JupyterLab, unless a test is parametrised over both."""
    return "lab"


@pytest.fixture
def opened(page: Page, jupyter: Server, front: str) -> Callable[[Path], Book]:
    """Open a notebook in the front end."""
    return lambda path: Book(page, jupyter, front, path).open()


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
