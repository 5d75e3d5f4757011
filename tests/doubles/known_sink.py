"""A site that answers as Known does and throws away the files that it gets, as fast as they come: for measuring.

python -m tests.doubles.known_sink [--port PORT] [--stall-after BYTES]

It prints its address. With `--stall-after` it stops reading in the middle of a larger body, and the connection stays.
Connections are kept as Apache keeps them (KeepAliveTimeout 5, MaxKeepAliveRequests 100). What came, and when, is told
at `/-/arrivals`. test_known_sink.py compares its answers with what a real site was recorded to answer.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tests.doubles.known_sink_site import SinkSite, Told

__all__ = ["Sink"]

_BUFFER = 1 << 20
_KEPT = 1 << 16  # of a body that is longer than the buffer: so much of its beginning and of its end
_IDLE, _SLOW = 5, 60  # seconds to wait for the next request, and for more of one
_REQUESTS = 100  # on one connection


class _Head(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]  # names in small letters
    begun: bytes  # of the body

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", "0"))


class Sink:
    """Listens while the context lasts. What came is in `site`."""

    def __init__(self, stall_after: int = 0, port: int = 0) -> None:
        self.stalled = threading.Event()
        self._stall_after = stall_after
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self._open: list[socket.socket] = []
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.site = SinkSite(self.address)

    def __enter__(self) -> Sink:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()
        for each in self._open:
            each.close()

    def serve(self) -> None:
        """Takes connections until the context ends."""
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            buffer = memoryview(bytearray(_BUFFER))
            for left in range(_REQUESTS - 1, -1, -1):
                _wait_at_most(connection, _IDLE)
                if not self._exchange(connection, buffer, left):
                    break
        self._open.remove(connection)

    def _exchange(self, connection: socket.socket, buffer: memoryview, left: int) -> bool:
        """One request and its answer. Returns whether the connection stays."""
        head = _head(connection)
        if head is None:
            return False
        if head.headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        kept = self._take(connection, buffer, head)
        told = self.site.answer(head.method, head.target, head.headers, kept, head.length)
        stays = left > 0 and head.headers.get("connection", "").lower() != "close"
        connection.sendall(_written(told, head.method, left if stays else None))
        return stays

    def _take(self, connection: socket.socket, buffer: memoryview, head: _Head) -> bytes:
        """The body; of a long one its beginning and its end."""
        length, taken = head.length, len(head.begun)
        if taken < length:
            _wait_at_most(connection, _SLOW)
        if length <= _BUFFER and not self._stall_after:
            buffer[:taken] = head.begun
            while taken < length:
                taken += _received(connection, buffer[taken:length])
            return bytes(buffer[:length])
        first, last = bytearray(head.begun), b""
        while taken < length:
            if self._stall_after and taken > self._stall_after:
                self.stalled.set()
                threading.Event().wait(600)
            count = _received(connection, buffer)
            piece = buffer[:count]
            first += piece[: max(_KEPT - len(first), 0)]
            last = (last + piece[-_KEPT:])[-_KEPT:] if count < _KEPT else bytes(piece[-_KEPT:])
            taken += count
        return bytes(first) + last[-max(length - len(first), 0) :] if length > len(first) else bytes(first)


def _wait_at_most(connection: socket.socket, seconds: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))


def _received(connection: socket.socket, room: memoryview) -> int:
    count = connection.recv_into(room)
    if not count:
        raise OSError("the client went away")
    return count


def _head(connection: socket.socket) -> _Head | None:
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(1 << 16)
        if not more:
            return None
        got += more
    head, _, begun = got.partition(b"\r\n\r\n")
    line, _, rest = head.decode("latin-1").partition("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value for name, value in re.findall(r"(?m)^([^:\r\n]+): *([^\r\n]*)", rest)}
    return _Head(method, target, headers, begun)


def _written(told: Told, method: str, left: int | None) -> bytes:
    content = told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
    kept = f"Keep-Alive: timeout={_IDLE}, max={left}\r\nConnection: Keep-Alive" if left else "Connection: close"
    lines = [
        f"HTTP/1.1 {told.status} OK",
        f"Content-Length: {told.size or len(content)}",
        f"Content-Type: {told.media_type}",
        *(f"{name}: {value}" for name, value in told.headers.items()),
        kept,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else content)


def main(run: Callable[[Sink], None] = Sink.serve) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stall-after", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    sink = Sink(**vars(parser.parse_args()))
    print(sink.address, flush=True)
    run(sink)


if __name__ == "__main__":
    main()
