"""The parts of ``dev.py test``: what each checks, and how long it takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from devtools.browsers import chromium, install_and_build, jlpm
from devtools.environments import environment, run

EVERY_CORE = ("-n", str(os.cpu_count() or 1), "--dist", "worksteal")
LOWEST = (
    *("step/values", "step/library_state", "step/in_kernel", "step/execution", "step/kernels"),
    *("step/templates", "widgets", "magics", "cli"),
    *("live/test_protocol.py", "engine/test_event_schema.py"),
    *("runners/kubernetes/test_official_client.py", "runners/kubernetes/test_faults.py"),
)
"""Tests without kernels that use other packages: values, papermill, click, msgspec, Kubernetes."""
LOWEST_KERNELS = (
    *("step/execution/test_attempt.py", "step/execution/test_failing_steps.py"),
    *("step/kernels", "step/templates/test_provisioner.py", "step/templates/test_template.py"),
    *("widgets/test_kernel.py", "magics/test_kernel.py", "examples/test_examples.py"),
)
"""Tests in which kernels, nbclient and papermill do all that kfnb needs of them."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the command line asks of the parts."""

    pytest: Sequence[str] = ()
    """Arguments for pytest."""
    whole: bool = False
    """Run variants whole, not only a sample of them."""


@dataclass(frozen=True)
class Part:
    """A part of the tests, which runs by itself."""

    name: str
    about: str
    minutes: float
    """How long it takes on two cores when everything is installed."""
    check: Callable[[Choices], None] = field(repr=False)
    waits: bool = False
    """Whether it waits much for other programs, so that it runs beside the other parts."""


def for_tests() -> str:
    """Return the Python of the environment in which most tests run."""
    return str(environment("test", "test,cluster"))


def lint(_: Choices) -> None:
    """Check form, types and the layers of the imports."""
    python = for_tests()
    run([python, "-m", "ruff", "check", "."])
    run([python, "-m", "ruff", "format", "--check", "."])
    run([python, "-m", "mypy", "--strict", "kfnb"])
    run([str(environment("test", "test,cluster").with_name("lint-imports"))])


def unit(choices: Choices) -> None:
    """Run the tests that execute no kernels."""
    select = ["-m", "not browser and not cluster and not slow"]
    run([for_tests(), "-m", "pytest", "-q", *EVERY_CORE, *select, *choices.pytest])


def kernels(choices: Choices) -> None:
    """Run the tests that execute kernels, which take seconds each."""
    select = ["-m", "slow and not browser and not cluster"]
    run([for_tests(), "-m", "pytest", "-q", *EVERY_CORE, *select, *choices.pytest])


def unwatched(choices: Choices) -> None:
    """Execute notebooks that use files as on a system that does not let kfnb watch them."""
    tests = ["tests/fidelity/test_corpus.py", "tests/step/execution/test_opened_files.py"]
    sample = [] if choices.whole else ["-k", "file or shell or bash or relative"]
    select = ["-m", "slow", *sample, *tests]
    watching = {"KFNB_WATCH": "off", "KFNB_FIDELITY": "all"}
    run([for_tests(), "-m", "pytest", "-q", *EVERY_CORE, *select], **watching)


def packages(choices: Choices) -> None:
    """Try which packages a template can import; with ``--all`` the whole table, for hours."""
    if choices.whole:
        run([for_tests(), "-m", "tests.packages.trial"])
    run([for_tests(), "-m", "pytest", "-q", *EVERY_CORE, "tests/packages", *choices.pytest])


def forked(choices: Choices) -> None:
    """Execute notebooks without templates; the other parts have them, as is the default."""
    tests = ["tests/fidelity/test_corpus.py", "tests/fidelity/test_random.py"]
    sample = [] if choices.whole else ["-k", "seed or import or figure or option or logging"]
    for templates in ("on", "off") if choices.whole else ("off",):
        # Without templates is a variant of all tests that execute kernels.
        everything = choices.whole and templates == "off"
        select = ["-m", "slow and not browser and not cluster"] if everything else [*sample, *tests]
        using = {"KFNB_TEMPLATES": templates, "KFNB_FIDELITY": "all"}
        run([for_tests(), "-m", "pytest", "-q", *EVERY_CORE, *select], **using)


def lowest(choices: Choices) -> None:
    """Run tests with the lowest versions of other packages that are allowed."""
    python = str(environment("lowest", "test,kubernetes", lowest=True))
    command = [python, "-m", "pytest", "-q", *EVERY_CORE]
    if choices.whole:
        run([*command, "-m", "not browser and not cluster", "tests"])
        return
    for mark, tests in (("not slow", LOWEST), ("slow", LOWEST_KERNELS)):
        select = ["-m", f"{mark} and not browser and not cluster"]
        run([*command, *select, *(f"tests/{name}" for name in tests)])


def server(choices: Choices) -> None:
    """Test the extension of the Jupyter server, and its OpenAPI document against it."""
    python = str(environment("server", "server"))
    plugin = ["-p", "pytest_jupyter.jupyter_server"]
    select = [*plugin, *(choices.pytest or ["tests/server"])]
    run([python, "-m", "pytest", "-q", *EVERY_CORE, *select])


def web(_: Choices) -> None:
    """Check, test and build the TypeScript parts."""
    install_and_build()
    jlpm("lint:check", "tsc --noEmit", "test")


def browser(choices: Choices) -> None:
    """Use the views in Chromium as a person does; screenshots are kept in .artifacts/browser."""
    install_and_build()
    python = str(environment("browser", "browser"))
    workers = ["-n", "2", "--dist", "loadfile"]
    select = ["-m", "browser", *(choices.pytest or ["tests/browser"])]
    # Something that is missing fails here, where it would otherwise skip tests.
    command = [python, "-m", "pytest", "-q", *workers, *select]
    run(command, CHROMIUM=chromium(), KFNB_BROWSER="required")


def cluster(choices: Choices) -> None:
    """Test on Kubernetes: the node of tests/cluster, or another that ``--cluster`` names.

    Where no node can be had, the tests are skipped with the reason; with
    ``KFNB_CLUSTER=required``, as in CI, they fail.
    """
    # Two at a time: a test mostly waits, and each has a namespace of its own.
    workers = ["-n", "2", "--dist", "worksteal"]
    select = ["-m", "cluster", *(choices.pytest or ["tests"])]
    run([for_tests(), "-m", "pytest", "-q", *workers, *select])


PARTS = {
    part.name: part
    for part in (
        Part("lint", "ruff, mypy --strict, the layers of the imports", 1, lint),
        Part("web", "the TypeScript parts: eslint, tsc, jest, build", 2, web),
        Part("server", "the extension of the Jupyter server, with schemathesis", 3, server),
        Part("unit", "tests that execute no kernels", 6, unit),
        Part("lowest", "tests with the lowest versions of other packages", 7, lowest),
        Part("packages", "packages that a template imports for its children", 1, packages),
        Part("forked", "notebooks with KFNB_TEMPLATES=off", 4, forked),
        Part("unwatched", "notebooks that use files, with KFNB_WATCH=off", 2, unwatched),
        Part("kernels", "tests that execute kernels", 8, kernels),
        Part("browser", "the views in Chromium", 8, browser, waits=True),
        Part("cluster", "tests on one node of real Kubernetes", 16, cluster, waits=True),
    )
}
