"""Templates, with the test as their parent; what children execute is given to IPython's ``-c``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kfnb.step.kernels.without_debugger import without_debugger
from kfnb.step.templates.template import (
    Forked,
    ForkOrder,
    NotForked,
    Template,
    TemplateSpec,
    Unusable,
)
from tests.step.templates.conftest import Parent, code, kernel_arguments, run

pytestmark = pytest.mark.slow

_SEEN = r"""
import json, os, resource, signal, sys, tempfile, threading, random
from pathlib import Path
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
seen = {
    "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgid(0),
    "environment": dict(os.environ), "folder": os.getcwd(), "umask": status["Umask"].strip(),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "argv": sys.argv, "path": sys.path,
    "main": type(sys.modules["__main__"]).__name__, "blocked": status["SigBlk"].strip(),
    "handlers": {s.name: str(signal.getsignal(s)).partition(" at ")[0] for s in signal.Signals},
    "threads": sorted(t.name for t in threading.enumerate()), "tempdir": tempfile.gettempdir(),
    "flags": str(sys.flags), "executable": sys.executable, "hash": hash("text"),
    "meta_path": [getattr(f, "__name__", type(f).__name__) for f in sys.meta_path],
    "descriptors": sorted(os.readlink(f"/proc/self/fd/{n}").partition(":")[0]
                          for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
    "name": __name__, "names": sorted(n for n in dir() if not n.startswith("_")),
}
Path(REPORT).write_text(json.dumps(seen))
"""


def test_a_child_is_like_a_process_that_was_started_afresh(parent: Parent, tmp_path: Path) -> None:
    template = parent.start()
    folder = tmp_path / "notebook"
    folder.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OF_THE_STEP": "1"}
    forked = run(parent, template, _SEEN, cwd=folder, environment=environment)
    report, command = tmp_path / "fresh", [sys.executable, "-m", "ipykernel_launcher"]
    subprocess.run(
        [*without_debugger(command), *kernel_arguments(tmp_path, code(report, _SEEN))],
        cwd=folder,
        env=environment,
        start_new_session=True,
        check=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    fresh = json.loads(report.read_text())
    assert isinstance(forked, dict)
    assert forked.pop("parent") == template.pid
    assert forked.pop("session") == forked.pop("group") == forked.pop("pid")
    for name in ("parent", "session", "group", "pid"):
        fresh.pop(name)
    assert [a for a in forked.pop("argv") if "/17" not in a and "REPORT" not in a] == [
        a for a in fresh.pop("argv") if "/17" not in a and "REPORT" not in a
    ]
    assert forked == fresh


def test_a_child_gets_the_descriptors_that_its_order_names_and_no_other(
    parent: Parent, tmp_path: Path
) -> None:
    with (tmp_path / "held").open("w"), (tmp_path / "out").open("wb") as out:
        template = parent.start()
        alive = os.open(tmp_path / "alive", os.O_CREAT | os.O_RDWR)
        source = (
            "import json, os; from pathlib import Path; os.system('echo to-out'); "
            "number = os.environ['KFNB_ALIVE_FD']; target = os.readlink(f'/proc/self/fd/{number}');"
            "every = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') "
            "if os.path.lexists(f'/proc/self/fd/{n}')]; "
            "Path(REPORT).write_text(json.dumps([target, every]))"
        )
        seen = run(
            parent,
            template,
            source,
            descriptors={"alive": alive, "stderr": out.fileno(), "stdout": out.fileno()},
        )
        os.close(alive)
    assert isinstance(seen, list)
    assert seen[0] == str(tmp_path / "alive")
    files = {name for name in seen[1] if name.startswith(str(tmp_path))}
    assert files == {str(tmp_path / "alive"), str(tmp_path / "out")}
    assert "memfd" not in " ".join(seen[1])


def test_children_draw_different_random_numbers(parent: Parent) -> None:
    template = parent.start("kernel", "import numpy, random, multiprocessing")
    source = (
        "import json, random, uuid, tempfile, numpy, multiprocessing; from pathlib import Path; "
        "key = bytes(multiprocessing.current_process().authkey).hex(); "
        "drawn = [random.random(), float(numpy.random.random()), str(uuid.uuid4()), tempfile.mktemp(), key]; "
        "Path(REPORT).write_text(json.dumps(drawn))"
    )
    first, second = (run(parent, template, source) for _ in range(2))
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert not set(first) & set(second)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_signal_that_ends_a_child_leaves_the_template(
    parent: Parent, number: signal.Signals
) -> None:
    template = parent.start()
    other = parent.fork(template, *kernel_arguments(parent.folder, "pass"))
    child = parent.fork(
        template,
        *kernel_arguments(parent.folder, f"import os; os.kill(os.getpid(), {int(number)})"),
    )
    assert parent.ended(template, child.pid).status == -number
    assert run(parent, template, "from pathlib import Path; Path(REPORT).write_text('1')") == 1
    os.kill(other.pid, 0)  # it lives


def test_exit_handlers_of_a_child_run_and_those_of_the_template_do_not(
    parent: Parent, tmp_path: Path
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "registers.py").write_text(
        "import atexit, os\n"
        "atexit.register(lambda: open(os.environ['OUT'], 'a').write(f'{os.getpid()}\\n'))\n"
    )
    out = tmp_path / "out"
    environment = {
        **os.environ,
        "PYTHONPATH": str(packages),
        "OUT": str(out),
        "PYTHONHASHSEED": "0",
    }
    template = parent.start("kernel", "import registers", PYTHONPATH=str(packages), OUT=str(out))
    code = (
        "import registers, threading, time\n"
        "def stop(kernel):\n"
        "    while True:\n"  # the loop may not have begun yet
        "        time.sleep(0.05)\n"
        "        if kernel.io_loop is not None: kernel.io_loop.add_callback(kernel.io_loop.stop)\n"
        "threading.Thread(target=stop, args=[get_ipython().kernel], daemon=True).start()"
    )
    child = parent.fork(template, *kernel_arguments(tmp_path, code), environment=environment)
    exited = parent.ended(template, child.pid)
    assert exited.status == 0
    assert exited.peak_memory > 1 << 20
    assert exited.cpu_seconds > 0
    assert out.read_text() == f"{child.pid}\n"
    template.retire()
    with pytest.raises(AssertionError, match="ended"):
        parent.wait(template, Forked)
    assert out.read_text() == f"{child.pid}\n"


def test_everything_ends_with_the_parent_of_a_template(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from tests.step.templates.conftest import Parent; "
        "from tests.step.templates.conftest import kernel_arguments; from pathlib import Path; "
        "parent = Parent(Path(sys.argv[1])); template = parent.start(); "
        "child = parent.fork(template, *kernel_arguments(parent.folder, 'pass')); "
        "print(template.pid, child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[3],
    )
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 2, done.stderr
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}/exe").exists() and _runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_child_whose_folder_is_missing_ends_with_a_reason(parent: Parent, tmp_path: Path) -> None:
    template = parent.start()
    with (tmp_path / "err").open("wb") as err:
        child = parent.fork(
            template, cwd=tmp_path / "missing", descriptors={"stderr": err.fileno()}
        )
    assert parent.ended(template, child.pid).status == 1
    assert "No such file or directory" in (tmp_path / "err").read_text()


def test_a_large_environment_reaches_the_child(parent: Parent) -> None:
    large = {f"LARGE_{n}": "x" * 100_000 for n in range(8)}
    template = parent.start()
    source = "import os, json; from pathlib import Path; Path(REPORT).write_text(json.dumps(len(os.environ['LARGE_7'])))"
    assert run(parent, template, source, environment={**os.environ, **large}) == 100_000


def test_a_template_whose_interpreter_lacks_ipykernel_is_unusable(parent: Parent) -> None:
    template = Template.start(
        TemplateSpec("kernel", sys.executable, environment=dict(os.environ), options=("-S",)), log=2
    )
    parent.templates.append(template)
    assert "ipykernel" in _unusable(template).reason


def _unusable(template: Template) -> Unusable:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for event in template.receive():
            if isinstance(event, Unusable):
                return event
        time.sleep(0.02)
    raise AssertionError("it is usable")


def test_requests_of_a_template_that_ends_are_answered(parent: Parent) -> None:
    template = parent.start()
    child = parent.fork(template, *kernel_arguments(parent.folder, "pass"))
    os.kill(template.pid, signal.SIGKILL)
    request = template.fork(ForkOrder((), "/", {}), [])
    events = []
    deadline = time.monotonic() + 60
    while not any(isinstance(event, Unusable) for event in events):
        events += template.receive()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert any(isinstance(e, NotForked) and e.request == request for e in events)
    assert any(getattr(e, "pid", 0) == child.pid for e in events)


def test_a_step_runner_is_forked_with_papermill_loaded(parent: Parent, tmp_path: Path) -> None:
    template = parent.start("step")
    with (tmp_path / "err").open("wb") as err:
        child = parent.fork(template, "no-such-order.json", descriptors={"stderr": err.fileno()})
    assert parent.ended(template, child.pid).status == 4
    assert "no-such-order.json" in (tmp_path / "err").read_text()


def test_a_child_may_get_many_descriptors(parent: Parent, tmp_path: Path) -> None:
    template = parent.start()
    given = {f"file{n}": os.open(tmp_path / f"file{n}", os.O_CREAT | os.O_RDWR) for n in range(16)}
    source = (
        "import json, os; from pathlib import Path; "
        "names = [os.readlink('/proc/self/fd/' + os.environ[f'KFNB_FILE{n}_FD']) for n in range(16)]; "
        "Path(REPORT).write_text(json.dumps(names))"
    )
    assert run(parent, template, source, descriptors=given) == [
        str(tmp_path / name) for name in given
    ]
    for descriptor in given.values():
        os.close(descriptor)
