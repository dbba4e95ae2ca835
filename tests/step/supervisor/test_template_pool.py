"""Templates below a supervisor: forked attempts and kernels, and when a template is given up."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kfnb.step.supervisor import process_table, template_pool
from kfnb.step.supervisor.template_pool import TemplatePool
from kfnb.step.templates.kernel_source import shared_environment
from kfnb.step.templates.spec import ForkOrder, TemplateSpec
from kfnb.step.templates.template import Exited, Forked, Template
from tests.step.supervisor.conftest import SupervisorBench, is_running
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates need Linux")


def spec(*imports: str, **variables: str) -> TemplateSpec:
    environment = shared_environment({**os.environ, **variables})
    return TemplateSpec("kernel", sys.executable, imports, environment)


@dataclass
class Pool:
    """A pool whose templates are read whenever a test waits."""

    watched: list[Template] = field(default_factory=list)
    exits: list[Exited] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pool = TemplatePool(
            # Processes with the mark of a process that lives no more would be ended as orphans.
            process_table.identity(os.getpid()),
            sys.__stderr__.fileno() if sys.__stderr__ else 2,
            watch=self.watched.append,
            unwatch=self.watched.remove,
            exited=self.exits.append,
        )

    def step(self) -> bool:
        for template in list(self.watched):
            self.pool.receive(template)
        self.pool.advance()
        return False

    def until_ready(self) -> None:
        wait_until(lambda: self.step() or all(t.ready for t in self.watched), "templates load")

    def fork(self, one: TemplateSpec, folder: Path) -> Forked | None:
        answers: list[Forked | None] = []
        order = ForkOrder(
            ("-f", str(folder / "connection.json")), str(folder), dict(one.environment)
        )
        self.pool.fork(one, order, (), answers.append)
        wait_until(lambda: self.step() or answers, "the template answers")
        return answers[0]


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.pool.close()


def test_a_request_waits_for_the_template_that_loads(pool: Pool, tmp_path: Path) -> None:
    forked = pool.fork(spec(), tmp_path)
    assert forked is not None
    os.kill(forked.pid, signal.SIGKILL)
    wait_until(lambda: pool.step() or pool.exits, "the end is reported")
    assert pool.exits[0].status == -signal.SIGKILL


def test_an_interpreter_that_is_missing_means_no_template(pool: Pool, tmp_path: Path) -> None:
    missing = TemplateSpec("kernel", "/no/such/python")
    assert pool.fork(missing, tmp_path) is None


def test_a_template_that_fails_is_not_tried_again_at_once(pool: Pool, tmp_path: Path) -> None:
    failing = spec("import no_such_module_anywhere", PYTHONHOME="/no/such/place")
    assert pool.fork(failing, tmp_path) is None
    assert pool.fork(failing, tmp_path) is None
    assert not pool.watched


def test_a_request_that_waits_too_long_is_given_up(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_pool, "_LOADING_SECONDS", 0.0)
    assert pool.fork(spec(), tmp_path) is None
    pool.until_ready()
    time.sleep(0.2)
    pool.step()
    # The child that was forked after all has been ended.
    wait_until(lambda: pool.step() or pool.exits, "its late child ends")


def test_idle_templates_leave(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pool.pool.prepare(spec())
    pool.until_ready()
    monkeypatch.setattr(template_pool, "IDLE_SECONDS", 0.0)
    wait_until(lambda: pool.step() or not pool.watched, "it leaves")


def test_their_number_is_bounded_and_the_one_unused_for_longest_leaves(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_pool, "MOST_TEMPLATES", 1)
    pool.pool.prepare(spec())
    first = pool.watched[0].pid
    assert pool.pool.prepare(spec(PYTHONHASHSEED="7"))
    wait_until(lambda: pool.step() or len(pool.watched) == 1, "the first leaves")
    assert pool.watched[0].pid != first
    wait_until(lambda: not is_running(first), "it ends")


def test_their_memory_is_bounded(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfnb.step.supervisor.process_table.total_memory", lambda: -1)
    assert not pool.pool.prepare(spec())


def test_a_template_leaves_when_a_package_is_installed(pool: Pool, tmp_path: Path) -> None:
    one = spec(PYTHONPATH=str(tmp_path))
    pool.pool.prepare(one)
    first = pool.watched[0].pid
    pool.pool.prepare(one)
    assert [template.pid for template in pool.watched] == [first]
    (tmp_path / "package.py").touch()
    pool.pool.prepare(one)
    wait_until(lambda: pool.step() or first not in pool.pool.pids(), "the old one leaves")
    assert len(pool.watched) == 1


def test_templates_end_with_the_supervisor(bench: SupervisorBench) -> None:
    client = bench.connect()
    client.prepare(spec())
    templates = wait_until(lambda: client.processes().templates, "it starts")
    os.kill(bench.pid(), signal.SIGKILL)
    for pid in templates:
        wait_until(lambda pid=pid: not is_running(int(pid)), "it ends")
