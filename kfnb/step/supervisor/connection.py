"""A connection between the supervisor and a client: messages and descriptors, never blocking."""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kfnb.step.supervisor.messages import LARGEST, decode, encode

_MOST_DESCRIPTORS = 16
_PIECE = 1 << 16
# A client that does not read its messages must not fill the supervisor's memory.
_MOST_UNSENT = 4 << 20


class Received(NamedTuple):
    """A message with the descriptors that came with it, which the receiver has to close."""

    message: Any
    descriptors: tuple[int, ...]


class Connection:
    """One end of a Unix stream socket.

    Attributes
    ----------
    closed
        Whether the other end is gone, or has sent what is no message.
    served_by
        The process of the supervisor at the other end, as far as known. The system's credentials
        of the peer are those of the process that began to listen.
    sent
        Called after each attempt to send, when the socket may have become full or closed.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self.closed = False
        self.served_by = 0
        self.sent: Callable[[], None] = lambda: None
        self._data = bytearray()
        self._descriptors: deque[int] = deque()
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector."""
        return self.socket.fileno()

    @property
    def has_unsent(self) -> bool:
        """Whether :meth:`flush` must be called when the socket is writable."""
        return bool(self._unsent)

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """Send a message, or what the socket takes of it; the caller keeps its descriptors."""
        if self.closed:
            return
        frame = memoryview(encode(message, descriptors=len(descriptors)))
        copies = [os.dup(descriptor) for descriptor in descriptors]
        self._unsent.append((frame, copies))
        self.flush()
        if sum(len(rest) for rest, _ in self._unsent) > _MOST_UNSENT + len(frame):
            self.close()
        self.sent()

    def flush(self) -> None:
        """Send what is not sent yet, as far as the socket takes it."""
        while self._unsent and not self.closed:
            frame, descriptors = self._unsent[0]
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
            try:
                sent = self.socket.sendmsg([frame], [rights] if descriptors else [])
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            # The descriptors go with the first byte of the frame.
            for descriptor in descriptors:
                os.close(descriptor)
            self._unsent.popleft()
            if sent < len(frame):
                self._unsent.appendleft((frame[sent:], []))

    def receive(self) -> list[Received]:
        """Return the messages that have arrived, and note when the other end is gone."""
        while not self.closed:
            try:
                data, ancillary, flags, _ = self.socket.recvmsg(
                    _PIECE, socket.CMSG_SPACE(_MOST_DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                break
            except OSError:
                self.closed = True
                break
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    count = len(content) // 4
                    self._descriptors.extend(struct.unpack(f"{count}i", content[: count * 4]))
            if not data or flags & socket.MSG_CTRUNC:
                self.closed = True
            self._data += data
        try:
            return list(self._whole_messages())
        except ValueError:
            self.closed = True
            return []

    def close(self) -> None:
        """Close the socket, and every descriptor that was not sent or not taken."""
        self.closed = True
        for _, descriptors in self._unsent:
            self._descriptors.extend(descriptors)
        self._unsent.clear()
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._descriptors.clear()
        self.socket.close()

    def peer(self) -> tuple[int, int]:
        """Return the pid and the uid of the process at the other end."""
        size = struct.calcsize("3i")
        data = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, uid, _ = struct.unpack("3i", data)
        return pid, uid

    def _whole_messages(self) -> list[Received]:
        whole = []
        while len(self._data) >= 4:
            length = int.from_bytes(self._data[:4], "big")
            if length > LARGEST:
                raise ValueError("The frame is too large.")
            if len(self._data) < 4 + length:
                break
            message, count = decode(bytes(self._data[4 : 4 + length]))
            del self._data[: 4 + length]
            if count > len(self._descriptors):
                raise ValueError("Descriptors are missing.")
            taken = tuple(self._descriptors.popleft() for _ in range(count))
            whole.append(Received(message, taken))
        return whole
