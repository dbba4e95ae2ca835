"""Answer for processes that outlive the step that started them; nothing is written down.

usage: python -m kfnb.step.opened_files DESCRIPTOR
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kfnb.step.opened_files.handover import answer

if __name__ == "__main__":
    answer(int(sys.argv[1]), Path(os.devnull))
