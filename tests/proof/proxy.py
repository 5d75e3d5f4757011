"""A proxy between an agent and its site, on which every kind of network trouble can be laid, request by request.

It speaks just enough HTTP/1.1 to know where a request and an answer end; all else is bytes. Each fault acts on one
exchange, in the order in which they were laid; None lets an exchange pass.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Answered", "CutReply", "CutRequest", "Dripped", "Fault", "Late", "Proxy", "Silent", "Stalled"]

_BLOCK = 1 << 16


class Gone(Exception):
    """This connection is over."""


@dataclass
class Exchange:
    """One request on its way, and the means to answer it."""

    proxy: Proxy
    client: socket.socket
    begun: bytes  # what was read already
    request: bytes = b""

    def read(self, most: int | None = None) -> bytes:
        """The request, or its first so many bytes."""
        head, mark, _ = self.begun.partition(b"\r\n\r\n")
        found = re.search(rb"(?im)^content-length: *(\d+)", head)
        length = len(head) + len(mark) + int(found[1] if found else 0)
        length = length if most is None else min(most, length)
        data = bytearray(self.begun)
        while len(data) < length:
            more = self.client.recv(_BLOCK)
            if not more:
                raise Gone
            data += more
        self.request = bytes(data[:length])
        return self.request

    def pass_on(self, request: bytes) -> bytes:
        """Sends it to the site, and returns its whole answer; b"" where there is none."""
        with socket.create_connection(self.proxy.site, timeout=20) as site:
            site.sendall(request)
            answer = bytearray()
            with contextlib.suppress(OSError):
                while not _whole(answer, request) and (more := site.recv(_BLOCK)):
                    answer += more
            return bytes(answer)

    def leave(self, *, reset: bool) -> None:
        if reset:
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone


def _whole(answer: bytes | bytearray, request: bytes) -> bool:
    head, mark, body = bytes(answer).partition(b"\r\n\r\n")
    found = re.search(rb"(?im)^content-length: *(\d+)", head)
    return bool(mark) and (request.startswith(b"HEAD ") or len(body) >= int(found[1] if found else 0))


@dataclass(frozen=True)
class Fault:
    """Lets an exchange pass."""

    def act(self, exchange: Exchange) -> None:
        request = exchange.read()
        exchange.proxy.seen.append((len(request), request.split(b" ", 1)[0].decode()))
        exchange.client.sendall(exchange.pass_on(request))


@dataclass(frozen=True)
class CutRequest(Fault):
    """The connection breaks after this share of the request; the site gets so much of it."""

    share: float = 0.5
    reset: bool = True

    def act(self, exchange: Exchange) -> None:
        request = exchange.read()
        part = request[: int(len(request) * self.share)]
        with socket.create_connection(exchange.proxy.site, timeout=20) as site:
            site.sendall(part)
            if self.reset:
                site.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.leave(reset=self.reset)


@dataclass(frozen=True)
class CutReply(Fault):
    """The site has done it; the connection breaks after this share of its answer."""

    share: float = 0.0
    reset: bool = True

    def act(self, exchange: Exchange) -> None:
        answer = exchange.pass_on(exchange.read())
        exchange.client.sendall(answer[: int(len(answer) * self.share)])
        exchange.leave(reset=self.reset)


@dataclass(frozen=True)
class Stalled(Fault):
    """Nobody reads on behind this share of the request, and the connection stays; the site gets nothing."""

    share: float = 0.5

    def act(self, exchange: Exchange) -> None:
        exchange.read(int(len(exchange.begun) * self.share))
        exchange.proxy.over.wait(exchange.proxy.patience)
        exchange.leave(reset=False)


@dataclass(frozen=True)
class Silent(Fault):
    """The site has done it, and the answer never comes, nor an end (a half-open connection)."""

    def act(self, exchange: Exchange) -> None:
        exchange.pass_on(exchange.read())
        exchange.proxy.over.wait(exchange.proxy.patience)
        exchange.leave(reset=False)


@dataclass(frozen=True)
class Dripped(Fault):
    """The answer comes in small drops, but it comes."""

    drops: int = 8

    def act(self, exchange: Exchange) -> None:
        answer = exchange.pass_on(exchange.read())
        for start in range(0, len(answer), len(answer) // self.drops + 1):
            exchange.client.sendall(answer[start : start + len(answer) // self.drops + 1])
            time.sleep(0.01)


@dataclass(frozen=True)
class Late(Fault):
    """The client is left alone at once; the site gets the request a while later, and carries it out."""

    seconds: float = 0.3

    def act(self, exchange: Exchange) -> None:
        request = exchange.read()

        def later() -> None:
            time.sleep(self.seconds)
            with contextlib.suppress(OSError):
                exchange.pass_on(request)

        threading.Thread(target=later, daemon=True).start()
        exchange.leave(reset=True)


@dataclass(frozen=True)
class Answered(Fault):
    """Somebody else answers; with `done` the site has carried it out all the same."""

    status: str = "503 Service Unavailable"
    headers: tuple[str, ...] = ()
    body: bytes = b"<html><body>Something else</body></html>"
    done: bool = False

    def act(self, exchange: Exchange) -> None:
        request = exchange.read()
        if self.done:
            exchange.pass_on(request)
        lines = [f"HTTP/1.1 {self.status}", f"Content-Length: {len(self.body)}", "Content-Type: text/html"]
        head = "\r\n".join([*lines, *self.headers, "", ""]).encode()
        exchange.client.sendall(head + (b"" if request.startswith(b"HEAD ") else self.body))


@dataclass
class Proxy:
    """Listens while the context lasts. `seen`: length and method of each request that passed."""

    site: tuple[str, int]
    faults: deque[Fault | None] = field(default_factory=deque)
    tls: ssl.SSLContext | None = None
    patience: float = 5.0
    seen: list[tuple[int, str]] = field(default_factory=list)
    struck: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def lay(self, faults: Iterable[Fault | None]) -> None:
        self.faults = deque(faults)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if self.tls else "http"
        self.address = f"{scheme}://localhost:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.over.set()
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, Gone), client:
            client.settimeout(20)
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            with client:
                while begun := self._head(client):
                    fault = self.faults.popleft() if self.faults else None
                    self.struck += fault is not None
                    (fault or Fault()).act(Exchange(self, client, begun))

    def _head(self, client: socket.socket) -> bytes:
        begun = b""
        while b"\r\n\r\n" not in begun:
            more = client.recv(_BLOCK)
            if not more:
                return b""
            begun += more
        return begun
