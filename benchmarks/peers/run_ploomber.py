"""Ploomber: ``run_ploomber.py chain|wide FOLDER PARALLEL NB...``; a second call finds it done."""

import sys
from pathlib import Path

from ploomber import DAG
from ploomber.executors import Parallel, Serial
from ploomber.products import File
from ploomber.tasks import NotebookRunner


def main():
    shape, folder, parallel, *notebooks = sys.argv[1:]
    dag = DAG(executor=Parallel(processes=int(parallel)) if int(parallel) > 1 else Serial())
    before = None
    for notebook in notebooks:
        task = NotebookRunner(
            Path(notebook),
            File(str(Path(folder) / f"out-{Path(notebook).stem}.ipynb")),
            dag=dag,
            name=Path(notebook).stem,
            kernelspec_name="python3",
            static_analysis="disable",
        )
        if shape == "chain" and before is not None:
            before >> task
        before = task
    dag.build()


if __name__ == "__main__":
    main()
