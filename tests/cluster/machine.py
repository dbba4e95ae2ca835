"""Whether this machine can run the cluster, and what it gets from its distribution."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster.layout import CACHE

PROGRAMS = {
    "runc": "runc",
    "nft": "nftables",
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "openssl": "openssl",
    "ldd": "libc-bin",
}
"""What must be there, and the Debian package that has it."""
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Unable(Exception):
    """The cluster cannot run here; the text is the whole reason, as a sentence."""


def check() -> None:
    """Raise `Unable` where no cluster of our own can be started."""
    if sys.platform != "linux":
        raise Unable(f"the test cluster needs Linux, this is {sys.platform}.")
    if os.geteuid() != 0:
        raise Unable("the test cluster makes namespaces and mounts, which needs root.")
    if CACHE.is_relative_to("/var") or CACHE.is_relative_to("/run"):
        raise Unable(f"the test cluster hides /var and /run, so it cannot be in {CACHE}.")
    probe = ["unshare", "-m", "-n", "-p", "-f", "mount", "-t", "tmpfs", "probe", "/mnt"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unable(f"the test cluster needs namespaces and mounts: {done.stderr.strip()}.")


def prepare(say: Callable[[str], None]) -> None:
    """Install what is missing on Debian and Ubuntu; elsewhere say what to install."""
    missing = {package for name, package in PROGRAMS.items() if not program(name)}
    shell = program("busybox")
    if shell and b"/ld-linux" in Path(shell).read_bytes():
        missing.add(PROGRAMS["busybox"])  # what is there needs libraries that images lack
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Unable(
            f"the test cluster needs programs that are missing: {', '.join(sorted(missing))}."
        )
    say(f"installing {' '.join(sorted(missing))} (apt-get)")
    get = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        [*get, "update"],
        [*get, "install", "-y", "--no-install-recommends", *sorted(missing)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise Unable(
                f"apt-get could not install {', '.join(sorted(missing))}: {done.stderr.strip()}"
            )


def program(name: str) -> str | None:
    return shutil.which(name, path=PLACES)


def need(name: str) -> Path:
    found = program(name)
    if found is None:
        raise Unable(f"{name} (package {PROGRAMS[name]}) is not installed.")
    return Path(found)
