"""The supervisor: whose it is, what it executes, and when it leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kfnb.step.supervisor import address as addresses
from kfnb.step.supervisor.address import private_folder, supervisor_address
from kfnb.step.supervisor.attempts import MEMORY, TIMEOUT
from kfnb.step.supervisor.client import Supervisor, SupervisorLost
from kfnb.step.supervisor.connection import Connection
from kfnb.step.supervisor.process_table import PROGRAM
from kfnb.step.supervisor.sweep import end_orphans_of_killed_supervisors
from kfnb.store import locks
from tests.step.supervisor.conftest import SupervisorBench, is_running
from tests.waiting import wait_until

WAIT = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)\n"
CONNECT = (
    "from kfnb.step.supervisor.client import Supervisor\n"
    "print(Supervisor.connect(start=True).processes().pid)\n"
)


def test_an_attempt_reports_its_exit_status(bench: SupervisorBench) -> None:
    client = bench.connect()
    bench.start(client, "raise SystemExit(3)")
    assert bench.end_of(client).status == 3


def test_an_attempt_that_is_killed_reports_the_signal(bench: SupervisorBench) -> None:
    client = bench.connect()
    folder = bench.start(client, WAIT)
    client.signal(str(folder), signal.SIGKILL, group=True)
    assert bench.end_of(client).status == -signal.SIGKILL


def test_a_program_that_is_missing_is_named_in_the_attempts_log(bench: SupervisorBench) -> None:
    client = bench.connect()
    with (bench.folder / "log").open("wb") as log:
        client.start_attempt(
            "a",
            ["/no/such/program"],
            cwd="/",
            environment={},
            descriptors=(log.fileno(), log.fileno()),
        )
    assert bench.end_of(client).status == 4
    assert "No such file or directory (/no/such/program)" in (bench.folder / "log").read_text()


def test_an_attempt_goes_on_without_its_driver_and_is_adopted(bench: SupervisorBench) -> None:
    first = bench.connect()
    folder = bench.start(first, WAIT + "raise SystemExit(4)")
    first.close()
    second = bench.connect(start=False)
    assert second.adopt(str(folder))
    assert not second.adopt("another")
    (folder / "go").touch()
    assert bench.end_of(second).status == 4


def test_an_end_that_no_driver_saw_is_reported_to_the_next(bench: SupervisorBench) -> None:
    first = bench.connect()
    folder = bench.start(first, WAIT + "raise SystemExit(4)")
    first.close()
    (folder / "go").touch()
    second = bench.connect(start=False)
    wait_until(lambda: not second.processes().attempts, "the attempt ends")
    assert not second.adopt(str(folder))
    assert bench.end_of(second).status == 4


def test_attempts_end_with_the_supervisor(bench: SupervisorBench) -> None:
    client = bench.connect()
    bench.start(client, WAIT)
    (pid,) = client.processes().attempts.values()
    os.kill(bench.pid(), signal.SIGKILL)
    wait_until(lambda: client.ended() == [] and client.lost, "the client notices")
    wait_until(lambda: not is_running(pid), "the attempt ends")
    with pytest.raises(SupervisorLost):
        client.processes()
    assert bench.connect().processes().attempts == {}


def test_what_escapes_from_a_killed_supervisor_is_ended_by_the_next(
    bench: SupervisorBench,
) -> None:
    client = bench.connect()
    source = "import subprocess\nprint(subprocess.Popen(['setsid', 'sleep', '600']).pid)\n"
    folder = bench.start(client, source + "import sys; sys.stdout.flush()\n" + WAIT)
    wait_until((folder / "log").read_bytes)
    escaped = int((folder / "log").read_text())
    os.kill(bench.pid(), signal.SIGKILL)
    wait_until(lambda: not client.ended() and client.lost)
    assert is_running(escaped)
    ended = end_orphans_of_killed_supervisors()
    assert any("sleep 600" in description for description in ended)
    wait_until(lambda: not is_running(escaped), "the sleep ends")
    assert end_orphans_of_killed_supervisors() == []


@pytest.mark.parametrize(
    "command",
    [
        ["sleep", "600"],
        ["sh", "-c", "sleep 600; true"],
        ["setsid", "sleep", "600"],
        ["env", "-i", "setsid", "sh", "-c", "sleep 600 & sleep 600"],
        ["sh", "-c", "trap '' TERM; while true; do sleep 600; done"],
        [
            sys.executable,
            "-c",
            "s = 600\nimport os, time\nif not os.fork(): os.setsid(); time.sleep(s)",
        ],
    ],
    ids=["sleep", "sh", "setsid", "no-environment", "ignores-TERM", "daemon"],
)
def test_what_an_attempt_leaves_running_is_ended_and_named(
    bench: SupervisorBench, command: list[str]
) -> None:
    client = bench.connect()
    bench.start(client, f"import subprocess, time\nsubprocess.Popen({command})\ntime.sleep(0.2)")
    ended = bench.end_of(client)
    assert ended.status == 0
    assert any("600" in description for description in ended.left), ended.left
    below = client.processes().below
    assert below == {}


def test_the_lock_of_an_attempt_is_held_until_nothing_of_it_is_left(
    bench: SupervisorBench,
) -> None:
    client = bench.connect()
    stubborn = ["setsid", "sh", "-c", "trap '' TERM; while true; do sleep 600; done"]
    source = f"import os, subprocess\nsubprocess.Popen({stubborn})\nprint(os.getpid(), flush=True)"
    folder = bench.folder / "a"
    folder.mkdir()
    lock = locks.acquire(folder / "alive")
    assert lock is not None
    with (folder / "log").open("wb") as log:
        client.start_attempt(
            str(folder),
            [sys.executable, "-c", source],
            cwd=str(folder),
            environment=os.environ,
            descriptors=(log.fileno(), lock),
        )
    os.close(lock)
    pid = int(wait_until((folder / "log").read_bytes))
    wait_until(lambda: not is_running(pid), "the step process ends")
    assert locks.is_locked(folder / "alive")
    assert bench.end_of(client).left
    assert not locks.is_locked(folder / "alive")


LIMITED = (
    "import os, signal, time\n"
    "from kfnb.step.supervisor.client import StepChannel\n"
    "channel = StepChannel.inherited()\n"
    "channel.limit(seconds={seconds}, memory={memory})\n"
    "{then}"
)


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start supervisors that wait no longer than the limit."""
    program = tmp_path / "program.py"
    program.write_text(
        "import runpy, sys\n"
        f"sys.path.append({str(Path(__file__).parents[3])!r})\n"
        "from kfnb.step.supervisor import attempts\n"
        "attempts._GRACE = 0.0\n"
        "attempts._INTERVAL = 0.1\n"
        f"sys.argv[0] = {PROGRAM!r}\n"
        f"runpy.run_path({PROGRAM!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr("kfnb.step.supervisor.starting.PROGRAM", str(program))


def test_a_time_limit_holds_although_the_step_process_is_stopped(
    no_grace: None, bench: SupervisorBench
) -> None:
    client = bench.connect()
    stop = "os.kill(os.getpid(), signal.SIGSTOP)\n"
    bench.start(client, LIMITED.format(seconds=0.2, memory=None, then=stop))
    assert bench.end_of(client).status == TIMEOUT


def test_a_memory_limit_holds_for_a_kernel_that_the_step_process_has_started(
    no_grace: None, bench: SupervisorBench
) -> None:
    client = bench.connect()
    kernel = "import time; held = 'x' * (64 << 20); time.sleep(600)"
    start = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {kernel!r}])\n"
    bench.start(client, LIMITED.format(seconds=None, memory=32 << 20, then=start))
    ended = bench.end_of(client)
    assert ended.status == MEMORY
    assert client.processes().below == {}


def test_a_time_limit_that_is_not_reached_changes_nothing(
    no_grace: None, bench: SupervisorBench
) -> None:
    client = bench.connect()
    bench.start(client, LIMITED.format(seconds=600, memory=1 << 40, then="raise SystemExit(3)"))
    assert bench.end_of(client).status == 3


def test_a_worker_that_ends_by_itself_is_not_named(bench: SupervisorBench) -> None:
    client = bench.connect()
    source = "import subprocess\nsubprocess.Popen(['sleep', '0.1'])"
    bench.start(client, source)
    assert bench.end_of(client).left == ()


def test_one_attempts_leftovers_spare_the_processes_of_another(bench: SupervisorBench) -> None:
    client = bench.connect()
    daemon = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '600'])\n"
    bench.start(client, daemon + WAIT, name="a")
    bench.start(client, daemon, name="b")
    assert len(bench.end_of(client).left) == 1
    left = [text for text in client.processes().below.values() if "sleep 600" in text]
    assert len(left) == 1, "the daemon of the attempt that executes"
    (bench.folder / "a" / "go").touch()
    assert len(bench.end_of(client).left) == 1


def test_the_folder_and_the_socket_are_private(bench: SupervisorBench) -> None:
    bench.connect()
    address = supervisor_address()
    assert address is not None
    assert stat.S_IMODE(address.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(address.socket.stat().st_mode) == 0o600


def test_a_folder_that_others_can_enter_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(addresses, "_LONGEST_FOLDER", 1000)
    folder = tmp_path / f"kfnb-{os.getuid()}"
    folder.mkdir(mode=0o700)
    assert private_folder() == folder
    folder.chmod(0o750)
    assert private_folder() != folder
    folder.rmdir()
    (tmp_path / "mine").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "mine")
    assert private_folder() != folder


def test_a_client_of_another_user_is_refused(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.connect()
    # As a supervisor that belongs to somebody else looks to this user.
    monkeypatch.setattr(Connection, "peer", lambda _: (1, os.getuid() + 1))
    assert Supervisor.connect(start=False) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_the_supervisor_refuses_a_process_of_another_user(bench: SupervisorBench) -> None:
    bench.connect()
    address = supervisor_address()
    assert address is not None
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connecting.settimeout(30)
    # The credentials of a peer are those at the time of connect(). Root may open every path.
    pid = os.fork()
    if pid == 0:
        code = 1
        with contextlib.suppress(BaseException):
            folder = os.open(address.folder, os.O_PATH)
            os.fchdir(folder)
            os.chmod(address.folder, 0o711)  # noqa: PTH101
            os.chmod(address.socket, 0o666)  # noqa: PTH101
            os.setuid(12345)
            connecting.connect(str(address.socket))
            code = 0 if connecting.recv(1) == b"" else 2
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    address.folder.chmod(0o700)
    assert os.waitstatus_to_exitcode(status) == 0


def test_bytes_that_are_no_message_close_the_connection_only(bench: SupervisorBench) -> None:
    client = bench.connect()
    address = supervisor_address()
    assert address is not None
    for data in (b"\xff\xff\xff\xff", b"\0\0\0\2{}", b"\0\0\0\x03[1]"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wrong:
            wrong.settimeout(60)
            wrong.connect(str(address.socket))
            wrong.sendall(data)
            assert wrong.recv(1) == b""
    assert client.processes().pid


def test_who_reads_the_output_of_the_command_that_started_it_sees_the_end(
    bench: SupervisorBench,
) -> None:
    read, write = os.pipe()
    started = subprocess.run(
        [sys.executable, "-c", CONNECT],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.PIPE,
        pass_fds=(write,),
        timeout=120,
        check=True,
        cwd=bench.folder,
    )
    os.close(write)
    assert os.read(read, 1) == b"", "every copy of the pipe is closed"
    os.close(read)
    pid = int(started.stdout)
    assert is_running(pid)
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert os.getsid(pid) != os.getsid(0)
    assert os.getsid(pid) != pid, "it is no session leader, so it never gets a terminal"


def test_two_that_start_it_at_once_get_the_same_one(bench: SupervisorBench) -> None:
    several = [
        subprocess.Popen([sys.executable, "-c", CONNECT], stdout=subprocess.PIPE) for _ in range(5)
    ]
    pids = {process.communicate(timeout=120)[0] for process in several}
    assert len(pids) == 1
    assert bench.pid() == int(pids.pop())


def test_it_leaves_when_it_was_idle(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFNB_SUPERVISOR_IDLE", "0.2")
    client = bench.connect()
    bench.start(client, "")
    bench.end_of(client)
    pid = client.processes().pid
    assert is_running(pid), "it stays while a driver is there"
    client.close()
    wait_until(lambda: not is_running(pid), "it leaves")
    address = supervisor_address()
    assert address is not None
    # Nor a lock or an empty log, of which a folder would collect thousands.
    assert not list(address.folder.glob(f"{address.key}.*"))


def test_in_continuous_integration_it_leaves_with_the_last_run(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KFNB_SUPERVISOR_IDLE")
    monkeypatch.setenv("CI", "true")
    client = bench.connect()
    folder = bench.start(client, WAIT)
    pid = client.processes().pid
    client.close()
    assert is_running(pid), "an attempt is executing"
    (folder / "go").touch()
    wait_until(lambda: not is_running(pid), "it leaves")


def test_it_leaves_when_its_home_is_removed(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = bench.connect()
    pid = client.processes().pid
    (bench.folder / "home").rmdir()
    client.close()
    wait_until(lambda: not is_running(pid), "it leaves")


def test_another_interpreter_or_environment_has_another_one(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    first = supervisor_address()
    monkeypatch.setenv("SOME_VARIABLE", "1")
    assert supervisor_address() == first
    monkeypatch.setenv("PYTHONPATH", "/tmp")
    second = supervisor_address()
    assert second != first
    monkeypatch.setattr(sys, "executable", "/usr/bin/another")
    assert supervisor_address() not in (first, second)


def test_other_limits_mean_another_one(bench: SupervisorBench) -> None:
    del bench
    program = "from kfnb.step.supervisor.address import supervisor_address as a; print(a().key)"

    def key(*before: str) -> str:
        command = [*before, sys.executable, "-c", program]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert key() == key()
    assert key("nice", "-n", "5") != key()
    assert key("sh", "-c", 'ulimit -f 100000; exec "$@"', "sh") != key()


def test_without_a_private_folder_there_is_no_supervisor(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    monkeypatch.setattr(addresses, "_LONGEST_FOLDER", 0)
    assert Supervisor.connect(start=True) is None


def test_switched_off_there_is_no_supervisor(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    monkeypatch.setenv("KFNB_TEMPLATES", "off")
    assert Supervisor.connect(start=True) is None


def test_an_interpreter_that_cannot_start_it_is_no_error(
    bench: SupervisorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    monkeypatch.setattr("kfnb.step.supervisor.starting.PROGRAM", "/no/such/file.py")
    assert Supervisor.connect(start=True) is None
