"""kfp.local: ``run_kfp.py chain|wide COUNT SECONDS``, subprocesses in this environment."""

import sys

from kfp import dsl, local

shape, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


@dsl.component(install_kfp_package=False)
def add(x: int, seconds: float) -> int:
    import time

    time.sleep(seconds)
    return x + 1


@dsl.pipeline
def pipeline():
    x = 0
    for _ in range(count):
        task = add(x=x, seconds=seconds)
        task.set_caching_options(False)
        if shape == "chain":
            x = task.output


local.init(runner=local.SubprocessRunner(use_venv=False))
pipeline()
