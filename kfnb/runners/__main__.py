"""``python -m kfnb.runners RUN_FOLDER``: the driver's process."""

from __future__ import annotations

import sys

from kfnb.engine.driver import main
from kfnb.runners.local import LocalRunner

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], LocalRunner()))
