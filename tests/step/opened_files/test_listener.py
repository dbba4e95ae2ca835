from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kfnb.step.opened_files.seccomp_filter import wanted
from tests.step.opened_files.watched import ROOT, run_python, run_watched, watched
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not wanted(), reason="files are not watched on this system")

NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def dedented(code: str) -> str:
    return textwrap.dedent(code)


def test_a_shell_and_its_programs_are_seen(folder: Path) -> None:
    (folder / "x").write_text("1")
    program = run_watched(
        ["sh", "-c", "cat x > y; mv y c; ln c d; ln -s c e; mkdir f; rmdir f; rm d"], folder
    )
    assert program.uses() >= {
        ("read", "x"),
        ("write", "y"),
        ("rename_from", "y"),
        ("rename_to", "c"),
        ("link_from", "c"),
        ("link_to", "d"),
        ("symlink", "e"),
        ("mkdir", "f"),
        ("rmdir", "f"),
        ("unlink", "d"),
    }
    executed = {
        Path(os.fsdecode(e.path)).name for e in program.events() if e.operation == "execute"
    }
    assert {"cat", "mv", "ln", "rm"} <= executed


def test_native_code_that_reads_and_writes_parquet_is_seen(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    program = run_python(
        dedented("""
            import pandas, pyarrow.dataset
            pandas.DataFrame({"a": [1]}).to_parquet("a.parquet")
            pandas.read_parquet("a.parquet", filesystem=None)
            import os
            os.mkdir("parts"); os.rename("a.parquet", "parts/a.parquet")
            pyarrow.dataset.dataset("parts").to_table()
        """),
        folder,
    )
    assert program.uses() >= {
        ("write", "a.parquet"),
        ("read", "a.parquet"),
        ("list", "parts"),
        ("read", "parts/a.parquet"),
    }


def test_sqlite_is_seen(folder: Path) -> None:
    program = run_python(
        dedented("""
            import sqlite3
            with sqlite3.connect("a.db") as connection:
                connection.execute("create table t (x)")
        """),
        folder,
    )
    assert {("read", "a.db"), ("write", "a.db")} <= program.uses()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_are_seen(folder: Path, method: str) -> None:
    (folder / "program.py").write_text(
        dedented(f"""
            import multiprocessing, pathlib
            if __name__ == "__main__":
                context = multiprocessing.get_context({method!r})
                with context.Pool(2) as pool:
                    pool.map(pathlib.Path.touch, [pathlib.Path("a"), pathlib.Path("b")])
                    pool.map(pathlib.Path.read_bytes, [pathlib.Path("a"), pathlib.Path("b")])
        """)
    )
    program = run_watched([sys.executable, "program.py"], folder)
    assert {("write", "a"), ("write", "b"), ("read", "a"), ("read", "b")} <= program.uses()
    kernel = program.process.pid
    opened = {e.pid for e in program.events() if e.path.endswith((b"/a", b"/b"))}
    assert kernel not in opened


def test_each_way_of_naming_a_path_leads_to_the_same_file(folder: Path) -> None:
    program = run_python(
        dedented("""
            import os
            os.mkdir("sub")
            open("sub/../absolute", "w"); open(os.path.abspath("./absolute"))
            descriptor = os.open("sub", os.O_RDONLY)
            os.close(os.open("below", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
            os.stat("below", dir_fd=descriptor)
            os.rename("below", "renamed", src_dir_fd=descriptor, dst_dir_fd=descriptor)
            os.listdir(descriptor)
            os.chdir("sub")
            open("relative", "w")
            os.replace("relative", "../replaced")
            os.truncate("../replaced", 0)
            os.access("missing", os.R_OK)
            os.unlink("renamed", dir_fd=descriptor)
        """),
        folder,
    )
    assert program.uses() >= {
        ("write", "absolute"),
        ("read", "absolute"),
        ("write", "sub/below"),
        ("stat", "sub/below"),
        ("rename_from", "sub/below"),
        ("rename_to", "sub/renamed"),
        ("list", "sub"),
        ("write", "sub/relative"),
        ("rename_from", "sub/relative"),
        ("rename_to", "replaced"),
        ("truncate", "replaced"),
        ("stat", "sub/missing"),
        ("unlink", "sub/renamed"),
    }


def test_names_of_any_bytes_are_kept(folder: Path) -> None:
    program = run_python(
        dedented("""
            for name in (b"\\xff\\xfe", b"two\\nlines", b"back\\\\nslash", b" blanks ", b"n" * 255):
                open(name, "w").close()
        """),
        folder,
    )
    names = {os.fsencode(path) for use, path in program.uses() if use == "write"}
    assert names == {b"\xff\xfe", b"two\nlines", b"back\\nslash", b" blanks ", b"n" * 255}


def test_threads_wait_only_for_their_own_calls(folder: Path) -> None:
    program = run_python(
        dedented("""
            import concurrent.futures, pathlib
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                for _ in pool.map(lambda n: pathlib.Path(f"f{n}").write_text("x"), range(200)):
                    pass
        """),
        folder,
    )
    assert {path for use, path in program.uses() if use == "write"} == {f"f{n}" for n in range(200)}
    assert {e.pid for e in program.events() if b"/f" in e.path} == {program.process.pid}


def test_what_is_done_again_is_one_line(folder: Path) -> None:
    program = run_python(
        "import os\nfor n in range(5000): os.path.exists('model.pkl'); open('a', 'a').close()",
        folder,
    )
    lines = [e for e in program.events() if e.path.endswith((b"model.pkl", b"/a"))]
    assert [line.operation for line in lines] == ["stat", "open"]


def test_a_file_that_was_opened_is_in_the_report_at_once(folder: Path) -> None:
    with watched(["sh", "-c", "echo 1 > a; kill -STOP $$"], folder) as program:
        program.answer_until((folder / "a").exists)
        assert ("write", "a") in program.uses()


def test_files_of_the_system_and_of_packages_are_no_lines(folder: Path) -> None:
    (folder / "site-packages").mkdir()
    (folder / "site-packages/m.py").touch()
    program = run_python(
        "import json.tool, os; open('site-packages/m.py'); os.stat('/etc/hosts'); open('/proc/stat')",
        folder,
    )
    paths = {e.path for e in program.events() if e.operation != "execute"}
    assert not {p for p in paths if p.startswith((b"/usr/lib", b"/etc", b"/proc"))}
    assert not {p for p in paths if b"site-packages/" in p or b"lib/python3." in p}


def test_a_child_that_outlives_the_program_is_seen(folder: Path) -> None:
    os.mkfifo(folder / "go")
    command = ["sh", "-c", "(read _ && echo 1 > late) < go & exit 0"]
    # Opened for both, so that nobody waits for the other end.
    with (folder / "go").open("r+b", buffering=0) as go, watched(command, folder) as program:
        program.answer_until(lambda: program.process.poll() is not None)
        assert not program.listener.finished
        go.write(b"\n")
        program.finish()
    assert ("write", "late") in program.uses()


def test_a_caller_that_is_killed_while_it_waits_is_forgotten(folder: Path) -> None:
    with watched(["sh", "-c", "echo 1 > a; while :; do : > b; done"], folder) as program:
        program.answer_until((folder / "b").exists)
        # It waits now, or will at its next call.
        program.process.send_signal(signal.SIGKILL)
        program.process.wait()
        wait_until(lambda: program.listener.answer() or program.listener.finished)
    assert ("write", "a") in program.uses()


def test_signals_that_do_not_kill_leave_each_call_once(folder: Path) -> None:
    program = run_python(
        dedented("""
            import os, signal
            signal.signal(signal.SIGALRM, lambda *_: None)
            # Otherwise a call that is not yet being answered fails with EINTR.
            signal.siginterrupt(signal.SIGALRM, False)
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            for n in range(500):
                os.mkdir(f"d{n}")  # It fails if it is done twice.
            signal.setitimer(signal.ITIMER_REAL, 0)
        """),
        folder,
    )
    assert {path for use, path in program.uses() if use == "mkdir"} == {f"d{n}" for n in range(500)}


def test_below_another_listener_a_second_one_is_refused(folder: Path) -> None:
    program = run_python(
        dedented(f"""
            import errno, sys
            sys.path.insert(0, {ROOT!r})
            from kfnb.step.opened_files.seccomp_filter import watch_this_process
            try:
                watch_this_process()
            except OSError as error:
                open(errno.errorcode[error.errno], "w")
        """),
        folder,
    )
    assert ("write", "EBUSY") in program.uses()


def test_without_a_listener_calls_fail_instead_of_waiting(folder: Path) -> None:
    code = """
        import errno, os, sys
        sys.stdin.read(1)
        try:
            open("a", "w")
        except OSError as error:
            print(errno.errorcode[error.errno], flush=True)
        os._exit(0)
    """
    command = [sys.executable, "-c", dedented(code)]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with watched(command, folder, **options) as program:
        process = program.process
        program.answer_until(
            lambda: (
                b"pipe_read" in Path(f"/proc/{process.pid}/wchan").read_bytes()
                or b"anon_pipe" in Path(f"/proc/{process.pid}/wchan").read_bytes()
            )
        )
        program.listener.close()
        output, _ = process.communicate(b"\n", timeout=60)
    assert output.strip() == b"ENOSYS"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_without_capabilities_can_be_watched(folder: Path) -> None:
    folder.chmod(0o777)
    for parent in folder.parents[:3]:
        parent.chmod(0o755)
    program = run_watched(
        ["sh", "-c", "id -u > user; cat user > copy"],
        folder,
        env={**os.environ, "DROP_TO": str(NOBODY)},
    )
    assert (folder / "copy").read_text() == f"{NOBODY}\n"
    assert {("write", "user"), ("read", "user"), ("write", "copy")} <= program.uses()


def test_a_program_that_takes_rights_from_its_owner_has_none(folder: Path) -> None:
    program = run_watched(["sh", "-c", "grep NoNewPrivs /proc/self/status > status"], folder)
    assert ("write", "status") in program.uses()
    assert (folder / "status").read_text().split() == ["NoNewPrivs:", "1"]
