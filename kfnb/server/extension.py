"""The extension as Jupyter's server loads it: its traits, and its handlers."""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Int

from kfnb.server.limits import Limits

_DEFAULTS = Limits()


class Kfnb(ExtensionApp):
    """Runs and notebooks by HTTP, and live messages by a WebSocket."""

    name = "kfnb"
    load_other_extensions = True

    max_notebook_bytes = Int(_DEFAULTS.notebook_bytes, help="Largest notebook that is read.").tag(
        config=True
    )
    max_message_bytes = Int(
        _DEFAULTS.message_bytes, help="Largest request, and largest message of a page."
    ).tag(config=True)
    max_channels = Int(_DEFAULTS.channels, help="Most channels of one socket.").tag(config=True)
    read_cpu_seconds = Int(
        _DEFAULTS.read_cpu_seconds, help="CPU time that reading a notebook may take."
    ).tag(config=True)
    read_memory_bytes = Int(
        _DEFAULTS.read_memory_bytes, help="Memory that reading notebooks may take."
    ).tag(config=True)
    call_seconds = Int(
        int(_DEFAULTS.call_seconds), help="How long an answer about a run may take."
    ).tag(config=True)

    def initialize_handlers(self) -> None:
        """Add the handlers; the processes start with the first request that needs them."""
        from kfnb.server.handlers import handlers
        from kfnb.server.live_socket import live_handler
        from kfnb.server.state import ServerState

        contents = self.serverapp.contents_manager
        self.state = ServerState(self._limits(), _root(contents))
        self.handlers.extend([*handlers(self.state), live_handler(self.state)])

    async def stop_extension(self) -> None:
        """End the processes; runs go on."""
        await self.state.stop()

    def _limits(self) -> Limits:
        return Limits(
            notebook_bytes=self.max_notebook_bytes,
            message_bytes=self.max_message_bytes,
            channels=self.max_channels,
            read_cpu_seconds=self.read_cpu_seconds,
            read_memory_bytes=self.read_memory_bytes,
            call_seconds=float(self.call_seconds),
        )


def _root(contents: Any) -> str | None:
    """Return the folder of a contents manager that reads files; None for any other."""
    from jupyter_server.services.contents.fileio import FileManagerMixin

    root = getattr(contents, "root_dir", None)
    return str(root) if root and isinstance(contents, FileManagerMixin) else None
