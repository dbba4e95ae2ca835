"""Which files a step is recorded to have read and written, executed for real."""

from __future__ import annotations

import pytest

from kfnb.step.opened_files import report
from kfnb.step.opened_files.seccomp_filter import VARIABLE, wanted
from tests.step.conftest import Bench
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
on_linux = pytest.mark.skipif(not wanted(), reason="files are not watched on this system")


@on_linux
def test_files_of_shells_child_processes_and_native_code_are_recorded(bench: Bench) -> None:
    pytest.importorskip("pyarrow")
    for name in ("in.csv", "moved.csv", "lines.txt", "untouched.txt"):
        (bench.workdir / name).write_text("a\n1\n")
    (bench.workdir / "parts").mkdir()
    (bench.workdir / "parts" / "one.csv").write_text("a\n1\n")
    (bench.workdir / "script.sh").write_text("cat in.csv > out.csv\n")
    done = bench.run(
        "first",
        "import os, subprocess, sys, sqlite3, pandas, pyarrow.csv, pyarrow.dataset",
        'frame = pyarrow.csv.read_csv("in.csv").to_pandas()\nframe.to_parquet("made.parquet")\n'
        'pandas.read_parquet("made.parquet")',
        'pyarrow.dataset.dataset("parts", format="csv").to_table()',
        'os.system("sh script.sh; mv moved.csv target.csv")',
        'subprocess.run([sys.executable, "-c", "print(open(\'lines.txt\').read())"], check=True)',
        'with sqlite3.connect("new.db") as c: c.execute("create table t (x)")',
        'scratch = open("scratch.txt", "w"); scratch.close(); os.remove("scratch.txt")',
    )
    assert done.code == 0, done.events[-1]
    manifest = done.manifest
    assert set(manifest.files_read) == {
        "in.csv",
        "lines.txt",
        "parts/",
        "parts/one.csv",
        "script.sh",
    }
    assert set(manifest.files_written) == {"made.parquet", "out.csv", "target.csv", "new.db"}
    assert manifest.files_unseen == ()


@on_linux
def test_a_database_that_is_only_read_is_an_input(bench: Bench) -> None:
    make = "import sqlite3\nwith sqlite3.connect('a.db') as c: c.execute('create table t (x)')\nc.close()"
    assert bench.run("first", make).code == 0
    done = bench.run(
        "second",
        'import subprocess, sys\ncode = "import sqlite3; '
        "print(list(sqlite3.connect('a.db').execute('select * from t')))\"\n"
        "subprocess.run([sys.executable, '-c', code], check=True)",
    )
    assert done.code == 0, done.events[-1]
    assert set(done.manifest.files_read) == {"a.db"}
    assert not done.manifest.files_written


def test_what_nobody_means_is_no_file_of_a_step(bench: Bench) -> None:
    (bench.workdir / "helper.py").write_text("answer = 42\n")
    (bench.workdir / "a.csv").write_text("1")
    done = bench.run(
        "first",
        "import os, subprocess, sys, tempfile\nimport helper",
        "open('.hidden', 'w').close(); os.mkdir('cache'); os.mkdir('cache/__pycache__')\n"
        "open('cache/__pycache__/x', 'w').close()",
        "with tempfile.NamedTemporaryFile(dir='.') as f: f.write(b'1'); f.flush(); open(f.name).read()",
        "subprocess.run([sys.executable, '-c', 'import helper'], check=True)",
        "import matplotlib; matplotlib.use('agg')\nfrom matplotlib import pyplot\npyplot.plot([1])\n"
        "pyplot.savefig('plot.png')",
    )
    assert done.code == 0, done.events[-1]
    assert set(done.manifest.files_read) == {"helper.py"}
    assert set(done.manifest.files_written) == {"plot.png"}


def test_without_watching_the_audit_of_python_is_what_there_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    (bench.workdir / "a.csv").write_text("1")
    (bench.workdir / "b.csv").write_text("1")
    done = bench.run("first", "import os\nopen('a.csv').read(); os.system('cat b.csv > c.csv')")
    plain = bench.run(
        "second",
        "import os, pathlib\nopen('a.csv').read()\n"
        "os.path.exists('b.csv'); pathlib.Path('no.pkl').exists()",
    )
    assert done.code == 0, done.events[-1]
    assert set(done.manifest.files_read) == {"a.csv"}
    assert set(done.manifest.files_written) == {"c.csv"}
    assert done.manifest.files_unseen == ("child processes",)
    assert plain.manifest.files_unseen == ()
    assert plain.manifest.files_looked == {"b.csv": True, "no.pkl": False}
    assert not (done.folder / report.NAME).exists()


@on_linux
def test_a_listing_by_a_program_depends_on_the_names(bench: Bench) -> None:
    (bench.workdir / "a.csv").write_text("1")
    done = bench.run("first", "import os\nos.system('ls > names.txt')")
    assert done.code == 0, done.events[-1]
    assert set(done.manifest.files_read) == {"./"}


@on_linux
def test_a_server_that_outlives_its_step_can_still_open_files(bench: Bench) -> None:
    (bench.workdir / "server.sh").write_text(
        "while ! test -e stop; do sleep 0.05; done\necho done > end.tmp; mv end.tmp end\n"
    )
    start = "import subprocess\nsubprocess.run(['sh', '-c', 'setsid sh server.sh >log 2>&1 &'])"
    try:
        done = bench.run("first", start)
        assert done.code == 0, done.events[-1]
    finally:
        (bench.workdir / "stop").touch()
    wait_until((bench.workdir / "end").exists, (bench.workdir / "log").read_text)


@on_linux
def test_a_file_that_a_program_removes_is_recorded_as_removed(bench: Bench) -> None:
    first = bench.run("first", "open('made.txt', 'w').write('1')")
    second = bench.run(
        "second", "import os\nos.system('rm made.txt')", restore=first.manifest.files_written
    )
    assert second.code == 0, second.events[-1]
    assert second.manifest.files_removed == ("made.txt",)
