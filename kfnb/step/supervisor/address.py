"""Where a supervisor listens: a private folder, and a name that says for whom it works."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kfnb.home import home

# The path of a Unix socket may have 107 bytes.
_LONGEST_FOLDER = 60
# Variables that an interpreter or a library reads when it starts, so that a template with other
# values could not stand for a fresh process.
_NAMES = frozenset(
    [
        *("PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE", "TZ", "VIRTUAL_ENV", "CONDA_PREFIX", "CI"),
        # Batch systems end all processes of a job with it.
        *("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"),
    ]
)
_PREFIXES = (
    *("PYTHON", "LD_", "LC_", "JUPYTER", "IPYTHON", "MPL", "OMP_", "MKL_", "OPENBLAS_", "BLIS_"),
    *("NUMEXPR_", "NUMBA_", "CUDA_", "MALLOC_", "ARROW_", "KFNB_TEMPLATES", "KFNB_WATCH"),
)


_STATUS = ("Umask:", "Groups:", "CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:", "Cpus_allowed:")


@dataclass(frozen=True, slots=True)
class Address:
    """The files of one supervisor, in a folder that only its user can enter."""

    folder: Path
    key: str

    @property
    def socket(self) -> Path:
        """The socket on which it listens."""
        return self.folder / f"{self.key}.sock"

    @property
    def lock(self) -> Path:
        """Locked while somebody starts the supervisor, and while it leaves."""
        return self.folder / f"{self.key}.lock"

    @property
    def log(self) -> Path:
        """What the supervisor prints, which is nothing unless it fails."""
        return self.folder / f"{self.key}.log"

    @property
    def identity(self) -> Path:
        """Names the process; it is left behind only by a supervisor that was killed."""
        return self.folder / f"{self.key}.process"


def supervisor_address() -> Address | None:
    """Return the address for this KFNB_HOME, interpreter, version, environment and limits.

    Returns
    -------
    Address or None
        None where there is no folder that is ours alone and short enough for sockets.
    """
    folder = private_folder()
    return Address(folder, _key(os.environ)) if folder is not None else None


def private_folder() -> Path | None:
    """Make the folder of this user's supervisors, unless it exists."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):  # noqa: S108
        folder = Path(parent) / f"kfnb-{os.getuid()}"
        if len(os.fsencode(folder)) > _LONGEST_FOLDER:
            continue
        try:
            # Created with these rights, because between mkdir and chmod others could open it.
            folder.mkdir(mode=0o700, exist_ok=True)
            status = folder.lstat()
        except OSError:
            continue
        # Somebody else may have made a folder, or a link, with this name.
        private = not stat.S_IMODE(status.st_mode) & 0o077 and status.st_uid == os.getuid()
        if stat.S_ISDIR(status.st_mode) and private:
            return folder
    return None


def startup_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that matter when an interpreter or a library starts."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if name in _NAMES or name.startswith(_PREFIXES)
    }


def _inherited() -> Iterator[str]:
    """List what processes inherit besides variables: namespaces, limits, priority, cores.

    A container may share our folder, and its processes must not be started outside of it.
    """
    for name in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):
        with contextlib.suppress(OSError):
            yield str(Path("/proc/self/ns", name).readlink())
    for name in sorted(name for name in dir(resource) if name.startswith("RLIMIT_")):
        yield f"{name} {resource.getrlimit(getattr(resource, name))}"
    yield f"priority {os.getpriority(os.PRIO_PROCESS, 0)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(_STATUS):
                yield line


def _key(environment: Mapping[str, str]) -> str:
    # A supervisor that still executes the code before an update would not understand its clients.
    code = sorted(Path(__file__).parent.glob("*.py"))
    package = Path(__file__).parents[2] / "__init__.py"
    # The interpreter of a virtual environment is a link, whose target is that of others, too.
    interpreter = Path(sys.executable).parent.resolve() / Path(sys.executable).name
    parts = [
        # The package's own file has the version.
        *(str(home()), str(interpreter), str(package), package.read_text("utf-8")),
        *(f"{path.stat().st_mtime_ns} {path.stat().st_size}" for path in code),
        *(f"{name}={value}" for name, value in startup_variables(environment).items()),
        *_inherited(),
    ]
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=8)
    return digest.hexdigest()
