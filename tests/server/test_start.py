"""The extension adds little to the start of a server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("jupyter_server")

PROGRAM = """
import json, sys
import jupyter_server.serverapp, jupyter_server.extension.application
before = set(sys.modules)
import kfnb.server.extension, kfnb.server.handlers, kfnb.server.live_socket, kfnb.server.state
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_the_extension_starts_without_what_only_requests_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    own = [name for name in loaded if name.startswith("kfnb")]
    assert [name for name in own if not name.startswith("kfnb.server")] == ["kfnb"]
    assert not {"kfnb.server.requests", "kfnb.server.live_book"} & set(own)
    others = {name.partition(".")[0] for name in loaded} - {"kfnb", "jupyter_server"}
    assert not others - set(sys.stdlib_module_names), others
