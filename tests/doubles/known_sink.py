"""A site that answers as Known does and throws away the files that it gets, as fast as they come: for measuring.

python -m tests.doubles.known_sink [--stall-after BYTES]

It prints its address. With `--stall-after` it stops reading in the middle of a larger body, and the connection stays.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

__all__ = ["Sink"]

_BUFFER = 1 << 20


class Sink:
    """Listens while the context lasts. `files`: the sizes of those that came whole, by id; `posts`: bodies by id."""

    def __init__(self, stall_after: int = 0) -> None:
        self.files: dict[str, int] = {}
        self.posts: dict[str, str] = {}
        self.stalled = threading.Event()
        self._stall_after = stall_after
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

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
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while self._exchange(connection):
                pass

    def _exchange(self, connection: socket.socket) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(1 << 16)
            if not more:
                return False
            head += more
        head, _, body = head.partition(b"\r\n\r\n")
        line, _, rest = head.decode("latin-1").partition("\r\n")
        headers = {name.lower(): value for name, value in re.findall(r"(?m)^([^:\r\n]+): *([^\r\n]*)", rest)}
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, _ = line.split(" ")
        length = int(headers.get("content-length", "0"))
        first, taken = self._take(connection, body, length)
        status, more_headers, value = self._answer(method, target.partition("?")[0], first, taken)
        content = json.dumps(value).encode()
        size = more_headers.pop("Content-Length", str(len(content)))
        lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {size}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in more_headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else content))
        return True

    def _take(self, connection: socket.socket, begun: bytes, length: int) -> tuple[bytes, int]:
        """The first bytes of the body, and how many there were."""
        first, taken = bytearray(begun), len(begun)
        buffer = memoryview(bytearray(_BUFFER))
        while taken < length:
            if self._stall_after and taken > self._stall_after:
                self.stalled.set()
                threading.Event().wait(600)
            count = connection.recv_into(buffer)
            if not count:
                raise OSError("the client went away")
            if len(first) < 1 << 16:
                first += buffer[:count]
            taken += count
        return bytes(first), taken

    def _answer(self, method: str, path: str, first: bytes, length: int) -> tuple[int, dict[str, str], Any]:
        number = path.rpartition("/")[2]
        if path == "/micropub/endpoint":
            head, _, _ = first.partition(b"\r\n\r\n")
            boundary = head.partition(b"\r\n")[0]
            url = f"{self.address}/file/{self._kept(length - len(head) - 4 - len(boundary) - 6)}"
            return 201, {"Location": url}, {"url": url}
        if path.startswith("/file/"):
            return (200, {"Content-Length": str(self.files[number])}, {}) if number in self.files else (404, {}, {})
        if path.startswith("/entry/edit"):
            self.posts["1"] = parse_qs(first.decode())["body"][0]
            return 200, {}, {"location": f"{self.address}/2026/nightly?_t=json"}
        if path == "/currentUser/":
            return 200, {}, {"user": {"uuid": f"{self.address}/view/me"}}
        return 200, {}, {"object": self._item()}

    def _kept(self, size: int) -> str:
        name = secrets.token_hex(16)
        self.files[name] = size
        return name

    def _item(self) -> dict[str, Any]:
        return {
            "id": "1",
            "uuid": f"{self.address}/view/1",
            "url": f"{self.address}/2026/nightly",
            "objectType": "article",
            "formattedContent": self.posts.get("1", ""),
            "actor": {"uuid": f"{self.address}/view/me"},
        }


def main(run: Callable[[Sink], None] = Sink.serve) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stall-after", type=int, default=0)
    sink = Sink(parser.parse_args().stall_after)
    print(sink.address, flush=True)
    run(sink)


if __name__ == "__main__":
    main()
