"""The supervisor's program: ``python -I -S __main__.py LISTENER FOLDER KEY IDLE HOME``.

It is started by path and without site-packages, so that nothing that a user has installed can slow
it down or break it. It uses the standard library only.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Serve on the inherited listening socket until it is time to leave; the exit code."""
    listener, folder, key, idle, home = arguments
    # The process that started this one has to reap this one only, and never the supervisor.
    if os.fork():
        os._exit(0)
    # Behind the standard library, so that no module of kfnb's environment hides one of it.
    sys.path.append(str(Path(__file__).resolve().parents[3]))
    from kfnb.step.supervisor import process_table, sweep
    from kfnb.step.supervisor.address import Address
    from kfnb.step.supervisor.server import Server
    from kfnb.step.supervisor.system_calls import become_subreaper

    become_subreaper()
    address = Address(Path(folder), key)
    address.identity.touch(mode=0o600)
    address.identity.write_text(process_table.identity(os.getpid()))
    sweep.end_orphans()
    Server(address, socket.socket(fileno=int(listener)), idle=float(idle), home=Path(home)).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
