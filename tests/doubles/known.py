"""A double of a Known 1.6.2 site: a real HTTP server on the loopback, with the real one's traps, and faults on demand.

In a test::

    with KnownDouble() as double:
        double.faults.append(LoseReply())
        ...
        assert [post.names for post in double.posts] == [["a.jpg"]]

As a process of its own: `python -m tests.doubles.known --port 8090 [--stock]`; the users are birdcam and pbx, with the
keys below. test_known_conformance.py compares it with what a real site was recorded to answer.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import struct
import threading
from collections.abc import Iterable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.doubles import known_pages
from tests.doubles.known_faults import Fault
from tests.doubles.known_http import Reply, Request
from tests.doubles.known_site import STOCK, Limits, Site, StoredPost, User

__all__ = ["BIRDCAM_KEY", "PBX_KEY", "STOCK", "KnownDouble"]

BIRDCAM_KEY = "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
PBX_KEY = "g6c8sy7wgpedysjrr7qh110k5pbbyvls"


class KnownDouble:
    """A site that is up while the context lasts. `posts`, `requests` and `site` may be looked at any time."""

    def __init__(self, *, port: int = 0, url: str = "", limits: Limits | None = None, **site: Any) -> None:
        users = [
            User("birdcam", BIRDCAM_KEY, "birdcam@example.org", "Bird Cam"),
            User("pbx", PBX_KEY, "pbx@example.org", "PBX"),
        ]
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.double = self
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.site = Site(users, url=url or self.address, limits=replace(limits or Limits()), **site)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def posts(self) -> list[StoredPost]:
        with self.site.lock:
            return list(self.site.posts)

    @property
    def birdcam(self) -> User:
        return self.site.users[0]

    @property
    def pbx(self) -> User:
        return self.site.users[1]

    def sent(self, method: str, path: str = "/") -> list[Request]:
        """The requests of one kind that have arrived."""
        return [r for r in self.requests if r.method == method and r.path.startswith(path)]

    def __enter__(self) -> KnownDouble:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def strike(self, method: str, path: str) -> Fault | None:
        with self.site.lock:
            return next((fault for fault in self.faults if fault.strikes(method, path)), None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    double: KnownDouble

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    """One connection; as an `Exchange` also what a fault acts on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as nginx (tcp_nodelay); else each body waits 40 ms for the ACK of its head
    server: _Server
    request_read: Request

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_read = Request(self.command, self.path, headers)
        self._whole = False
        double = self.server.double
        double.requests.append(self.request_read)
        fault = double.strike(self.command, self.request_read.path)
        if fault:
            fault.act(self)
        elif int(headers.get("content-length", "0")) > double.site.limits.client_max_body_size:
            self._refuse_length()
        else:
            self.read()
            self.send(self.carry_out())

    do_GET = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815  (http.server's names)

    # --- Exchange -----------------------------------------------------------------------------------------------------

    def read(self, most: int | None = None) -> None:
        length = int(self.headers.get("content-length", "0"))
        if most is not None:
            self.rfile.read(min(most, length))
            return
        chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        body = b"".join(self._chunks()) if chunked else self.rfile.read(length)
        self._whole = chunked or len(body) == length
        self.request_read.read_form(body)

    def carry_out(self, *, race: bool = False) -> Reply:
        if not self._whole:  # nginx hands nothing on before it has all
            return Reply.page(400, "400 Bad Request")
        return known_pages.answer(self.server.double.site, self.request_read, race=race)

    def send(self, reply: Reply) -> None:
        with contextlib.suppress(OSError):
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("Set-Cookie", "known=deleted; path=/")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

    def cut(self) -> None:
        """A reset, as by a dying server."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    # --- nginx --------------------------------------------------------------------------------------------------------

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _refuse_length(self) -> None:
        """413 at once, then a lingering close: what still comes is thrown away so that the client can read."""
        self.close_connection = True
        self.send(Reply.page(413, "413 Request Entity Too Large"))
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(2)
        with contextlib.suppress(OSError):
            while self.connection.recv(1 << 16):
                pass


def serve(port: int, limits: Limits | None = None) -> None:
    """Runs until it is interrupted; prints the address first."""
    with KnownDouble(port=port, limits=limits) as double, contextlib.suppress(KeyboardInterrupt):
        print(double.address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stock", action="store_true", help="with PHP's and nginx's own limits")
    arguments = parser.parse_args()
    serve(arguments.port, STOCK if arguments.stock else None)
