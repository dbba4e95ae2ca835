"""Lets this machine in: listens on 127.0.0.1 here and connects inside the node's network.

``python -m tests.cluster.forward PID PORT:ADDRESS:PORT…``
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sys
from collections.abc import Sequence

NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def enter_network(pid: int) -> None:
    """Make this process's connections those of another's network (``os.setns`` needs 3.12)."""
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(handle)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction; its end is passed on, the other direction stays open."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def serve(listening: socket.socket, address: str, port: int) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to_there = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, to_there), pump(there, writer))
        writer.close()
        to_there.close()

    server = await asyncio.start_server(connect, sock=listening)
    await server.serve_forever()


async def main(pid: int, rules: Sequence[str]) -> None:
    serving = []
    for rule in rules:
        port, address, target = rule.split(":")
        # A socket stays in the network it was made in: listen here, then go there.
        listening = socket.create_server(("127.0.0.1", int(port)), backlog=256)
        listening.setblocking(False)
        serving.append((listening, address, int(target)))
    enter_network(pid)
    await asyncio.gather(*(serve(*one) for one in serving))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
