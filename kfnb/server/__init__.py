"""The Jupyter server's extension: runs and notebooks by HTTP, and live messages by a WebSocket.

The server's own process only relays. Notebooks are read and journals are followed in other
processes, so that neither a hostile notebook nor a hanging cluster delays anybody.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Name the extension; Jupyter's server calls this when it starts."""
    from kfnb.server.extension import Kfnb

    return [{"module": "kfnb.server", "app": Kfnb}]
