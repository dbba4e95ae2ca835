"""The system calls that name a file, by processor: their numbers, paths and flags."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_REMOVEDIR = 0x200


@dataclass(frozen=True, slots=True)
class PathArgument:
    """Where a call has a path: what it does with it, and the numbers of its arguments.

    ``folder`` is the argument with the descriptor of the folder that a relative path starts
    from (None: the working directory), ``text`` the one with the path's address (None: the
    descriptor itself is meant).
    """

    operation: str
    text: int | None
    folder: int | None = None


@dataclass(frozen=True, slots=True)
class WatchedCall:
    """A system call that is reported.

    ``flags`` is the argument with flags, ``fixed_flags`` what the call always implies, and
    ``flags_in_memory`` says that the argument is an address (openat2). ``ignored_with`` is an
    argument and a bit with which the call names no file, so that the filter lets it pass.
    """

    paths: tuple[PathArgument, ...]
    flags: int | None = None
    fixed_flags: int = 0
    flags_in_memory: bool = False
    ignored_with: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Architecture:
    """A processor: its number in seccomp's data, the number of seccomp(2), and the calls."""

    audit: int
    seccomp: int
    calls: Mapping[int, WatchedCall]


def architecture() -> Architecture | None:
    """Return this machine's processor; None where files cannot be watched in this way."""
    if not sys.platform.startswith("linux"):
        return None
    # A 32-bit interpreter on a 64-bit machine has other system calls.
    return _ARCHITECTURES.get(platform.machine()) if sys.maxsize > 2**32 else None


def _at(operation: str, first: int = 0) -> PathArgument:
    """Return the path of an ``*at`` call: a descriptor, and a path after it."""
    return PathArgument(operation, first + 1, first)


# The numbers are those of arch/x86/entry/syscalls/syscall_64.tbl and of asm-generic/unistd.h.
_MODERN = {
    425: WatchedCall((PathArgument("io_uring", None),)),
    437: WatchedCall((_at("open"),), flags=2, flags_in_memory=True),
    439: WatchedCall((_at("stat"),)),
}
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_OPENAT = WatchedCall((_at("open"),), flags=2)
_GETDENTS = WatchedCall((PathArgument("list", None, 0),))
_NEWFSTATAT = WatchedCall((_at("stat"),), ignored_with=(3, AT_EMPTY_PATH))
_STATX = WatchedCall((_at("stat"),), ignored_with=(2, AT_EMPTY_PATH))
_STAT = WatchedCall((PathArgument("stat", 0),))
_MKDIRAT = WatchedCall((_at("mkdir"),))
_MKNODAT = WatchedCall((_at("mknod"),))
_UNLINKAT = WatchedCall((_at("unlink"),), flags=2)
_RENAMEAT = WatchedCall((_at("rename_from"), _at("rename_to", 2)))
_LINKAT = WatchedCall((_at("link_from"), _at("link_to", 2)))
# The text of a symbolic link is no use of the file that it names.
_SYMLINKAT = WatchedCall((_at("symlink", 1),))
_TRUNCATE = WatchedCall((PathArgument("truncate", 0),))
_EXECVE = WatchedCall((PathArgument("execute", 0),))
_EXECVEAT = WatchedCall((_at("execute"),))

_ARCHITECTURES = {
    "x86_64": Architecture(
        audit=0xC000003E,
        seccomp=317,
        calls={
            **_MODERN,
            2: WatchedCall((PathArgument("open", 0),), flags=1),
            4: _STAT,
            6: _STAT,
            21: _STAT,
            59: _EXECVE,
            76: _TRUNCATE,
            78: _GETDENTS,
            82: WatchedCall((PathArgument("rename_from", 0), PathArgument("rename_to", 1))),
            83: WatchedCall((PathArgument("mkdir", 0),)),
            84: WatchedCall((PathArgument("rmdir", 0),)),
            85: WatchedCall((PathArgument("open", 0),), fixed_flags=_NEW_FILE),
            86: WatchedCall((PathArgument("link_from", 0), PathArgument("link_to", 1))),
            87: WatchedCall((PathArgument("unlink", 0),)),
            88: WatchedCall((PathArgument("symlink", 1),)),
            133: WatchedCall((PathArgument("mknod", 0),)),
            217: _GETDENTS,
            257: _OPENAT,
            258: _MKDIRAT,
            259: _MKNODAT,
            262: _NEWFSTATAT,
            263: _UNLINKAT,
            264: _RENAMEAT,
            265: _LINKAT,
            266: _SYMLINKAT,
            269: WatchedCall((_at("stat"),)),
            316: _RENAMEAT,
            322: _EXECVEAT,
            332: _STATX,
        },
    ),
    "aarch64": Architecture(
        audit=0xC00000B7,
        seccomp=277,
        calls={
            **_MODERN,
            33: _MKNODAT,
            34: _MKDIRAT,
            35: _UNLINKAT,
            36: _SYMLINKAT,
            37: _LINKAT,
            38: _RENAMEAT,
            45: _TRUNCATE,
            48: WatchedCall((_at("stat"),)),
            56: _OPENAT,
            61: _GETDENTS,
            79: _NEWFSTATAT,
            221: _EXECVE,
            276: _RENAMEAT,
            281: _EXECVEAT,
            291: _STATX,
        },
    ),
}
