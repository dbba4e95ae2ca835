"""papermill, one notebook after the other in one process: ``run_papermill.py OUT NB...``."""

import os
import sys

import papermill

out, *notebooks = sys.argv[1:]
for notebook in notebooks:
    papermill.execute_notebook(
        notebook, os.path.join(out, os.path.basename(notebook)), progress_bar=False
    )
