"""The few questions that the cluster's own processes ask its API server; tests have a client."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.layout import NODE

Plain = dict[str, Any]


class Refused(Exception):
    """The API server answered with an error; `status` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass(frozen=True)
class Api:
    """An API server at a port of 127.0.0.1, asked as the administrator."""

    pki: Path
    port: int

    def call(self, method: str, path: str, body: Plain | None = None) -> Any:
        """Return the answer, parsed if it is JSON; raises OSError when nobody answers."""
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=60, context=context
        )
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, text)
        return json.loads(text) if text.startswith(("{", "[")) else text

    def answers(self) -> bool:
        try:
            return bool(self.call("GET", "/readyz") == "ok")
        except (OSError, Refused):
            return False

    def node_ready_since(self, moment: str) -> bool:
        """Tell whether the kubelet said Ready at or after a moment (UTC, as the API writes it).

        The stored node stays Ready when its kubelet is gone, hence the heartbeat's time.
        """
        try:
            node = self.call("GET", f"/api/v1/nodes/{NODE}")
        except (OSError, Refused):
            return False
        return any(
            one["type"] == "Ready"
            and one["status"] == "True"
            and one["lastHeartbeatTime"] >= moment
            for one in node["status"].get("conditions", ())
        )
