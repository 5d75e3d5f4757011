"""The way to a site through a proxy, as the environment names it."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from mediaagent.api import Deferred
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.wires import Wires
from tests.doubles.known import KnownDouble


@dataclass
class Proxy:
    """Passes on what it is asked for, to wherever `leads` says, whatever host was named; or says `no`."""

    leads: int = 0
    no: str = ""
    asked: list[str] = field(default_factory=list)  # the heads of requests

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        self.asked.append(head.decode())
        if self.no:
            connection.sendall(f"HTTP/1.1 {self.no}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", self.leads)) as far:
            if head.startswith(b"CONNECT"):
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                method, target, rest = head.decode().split(" ", 2)
                far.sendall(f"{method} /{target.split('/', 3)[3]} {rest}".encode())
            connection.settimeout(5)
            back = threading.Thread(target=_pass, args=(far, connection))
            back.start()
            _pass(connection, far)
            back.join()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def a_proxy(**how: object) -> Iterator[Proxy]:
    proxy = Proxy(**how)  # type: ignore[arg-type]
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


@pytest.fixture(autouse=True)
def _no_other_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def client_of(site: str) -> Client:
    return Client(site, "birdcam", "key", seconds=5, wires=Wires(site, loopback=False))


def test_what_is_plain_is_asked_of_the_proxy_by_its_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with KnownDouble() as double, a_proxy(leads=int(double.address.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("http_proxy", f"http://bird:se%40cret@{proxy.address}")
        answer = client_of("http://vögel.example").get("/currentUser/?_t=json")
        assert answer.status in (403, 404)  # nobody's key: it was Known who answered
        assert double.requests[0].target == "/currentUser/?_t=json"
    (asked,) = proxy.asked
    assert asked.startswith("GET http://xn--vgel-5qa.example:80/currentUser/?_t=json HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'bird:se@cret').decode()}\r\n" in asked


def test_tls_goes_through_a_tunnel_that_shows_the_proxy_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    with KnownDouble() as double, a_proxy(leads=int(double.address.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("https_proxy", proxy.address)
        with pytest.raises(Deferred, match="this port does not speak TLS"):  # the double, at the tunnel's other end
            client_of("https://vögel.example").get("/currentUser/?_t=json")
    (asked,) = proxy.asked
    assert asked.startswith("CONNECT xn--vgel-5qa.example:443 HTTP/1.")
    assert "X-KNOWN" not in asked


def test_a_proxy_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_proxy(no="407 Proxy Authentication Required") as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        with pytest.raises(Deferred, match=r"the proxy could not be used: .*407 Proxy Authentication") as caught:
            client_of("https://known.example").get("/x")
    assert (caught.value.target_down, caught.value.in_doubt) == (True, False)


def test_a_proxy_of_another_kind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(Deferred, match="the proxy could not be used: it is at a socks5:// address, and only http://"):
        client_of("https://known.example").get("/x")


def test_no_proxy_leads_to_a_site_that_no_proxy_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    with KnownDouble() as double:
        assert client_of(double.address).get("/currentUser/?_t=json").status in (403, 404)
