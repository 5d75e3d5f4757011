"""A listener on the way between an agent and a site: hands everything on, and keeps every byte that the agent sent."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Wire"]


class Wire:
    """Listens while the context lasts. `port` is where to send to; `sent` is what was."""

    def __init__(self, onward: int) -> None:
        self._onward = onward
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._kept: list[bytes] = []

    @property
    def sent(self) -> bytes:
        return b"".join(self._kept)

    def __enter__(self) -> Wire:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # until it is closed
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._onward))
                threading.Thread(target=self._pass, args=(near, far, self._kept), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, []), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, kept: list[bytes]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                kept.append(data)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
