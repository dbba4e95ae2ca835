"""The machine's clock jumps while a run executes: only displayed times follow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.waiting import PATIENCE, wait_until

# Shifts what a process is told of the time of day by the seconds that a file says. The machine's
# clock stays as it is, and so do clocks that do not jump.
SHIFT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long shift(void) {
    long seconds = 0;
    FILE *file = fopen(getenv("CLOCK_SHIFT"), "r");
    if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
    return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += shift();
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *to) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (to) *to = exact.tv_sec;
    return exact.tv_sec;
}
"""
WAITS = """
import time, pathlib
pathlib.Path("{name}-begun").touch()
while not pathlib.Path("{name}-go").exists():
    time.sleep(0.05)
print(time.time())
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="no C compiler, or not on Linux"
)
def test_a_clock_that_jumps_changes_nothing_but_displayed_times(desk: Desk, tmp_path: Path) -> None:
    library, shift = tmp_path / "shift.so", tmp_path / "shift"
    (tmp_path / "shift.c").write_text(SHIFT)
    command = ["cc", "-shared", "-fPIC", "-o", library, tmp_path / "shift.c", "-ldl"]
    subprocess.run(command, check=True)
    path = desk.notebook(
        (["step:a", "timeout:10m"], WAITS.format(name="a")),
        (["step:b", "after:a", "timeout:10m"], WAITS.format(name="b")),
    )
    environment = {
        **os.environ,
        "KFNB_HOME": str(desk.home),
        "LD_PRELOAD": str(library),
        "CLOCK_SHIFT": str(shift),
    }
    kfnb = [sys.executable, "-m", "kfnb.cli.main"]
    with subprocess.Popen([*kfnb, "run", str(path)], env=environment) as run:
        for name, seconds in (("a", 3600), ("b", -7200)):
            wait_until((desk.folder / f"{name}-begun").exists)
            shift.write_text(str(seconds))
            (desk.folder / f"{name}-go").touch()
        assert run.wait(PATIENCE) == 0
    done = subprocess.run(
        [*kfnb, "status", "--json"], env=environment, capture_output=True, text=True, check=True
    )
    status = json.loads(done.stdout)
    for step in status["steps"].values():
        assert 0 <= step["duration"] < 600, step
    assert 0 <= status["duration"] < 600
    shown = {
        name: float(next(desk.home.glob(f"runs/*/steps/{name}/1/log.txt")).read_text())
        for name in "ab"
    }
    assert 9000 < shown["a"] - shown["b"] < 11000  # the steps saw the jumps
    [journal] = desk.home.glob("runs/*/journal.jsonl")
    times = [json.loads(line)["time"] for line in journal.read_text().splitlines()]
    assert times == sorted(times)
    assert times[-1] - times[0] < 600
