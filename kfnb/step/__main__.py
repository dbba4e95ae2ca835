"""``python -m kfnb.step ORDER.json``: execute one attempt at one step.

With ``-`` as the order, its path is read from stdin, after the slow imports are done.

Exit codes: 0 published, 1 the step's code failed, 3 cancelled, 4 infrastructure,
disk or configuration, 5 timeout, 6 memory. The last line of ``events.jsonl`` agrees.
"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Execute the order that the only argument names; the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m kfnb.step ORDER.json|-\n")
        return 2
    from kfnb.step.supervisor.client import StepChannel

    supervisor = StepChannel.inherited()
    from kfnb.step.kernels.orphan_guard import Guard

    guard = Guard()
    if not supervisor.is_connected:
        # While this process is small and has one thread.
        guard.start()
    from kfnb.step.execution.attempt import run
    from kfnb.step.execution.papermill_import import preload
    from kfnb.step.kernels.own_kernels import OwnKernels

    path = arguments[0]
    if path == "-":
        preload()
        path = sys.stdin.readline().rstrip("\n")
        if not path:
            return 4  # The process that would have sent the path is gone.
    source = supervisor if supervisor.is_connected else None
    kernels = OwnKernels(guard=guard, capture=True, source=source)
    return run(path, kernels=kernels, supervisor=supervisor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
