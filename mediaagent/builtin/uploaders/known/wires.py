"""Connections to one site: one request, one answer, and the connection kept while one request follows the other.

Built on http.client, which is under requests and urllib3 as well. None of what the two add (redirects, cookies,
retries, encodings) may happen here, and it costs: a queue went at 290 pictures a second with urllib3, at 310 to 390
without it.
"""

from __future__ import annotations

import base64
import os
import selectors
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from mediaagent.builtin.uploaders.known.answers import Answer
from mediaagent.builtin.uploaders.known.body import Body

__all__ = ["ConnectTimeoutError", "ProxyError", "Wires"]

_HTTP, _HTTPS = 80, 443

#: Seconds after which a connection is not used again. Servers drop those that idle (Apache after five seconds): what is
#: sent at that moment would look like a lost reply.
_FRESH = 1.0
#: A list of ten posts is 30 kB as a rule, but a text of 8 MB, which is what PHP takes unless it is told otherwise,
#: comes back as it is and formatted. What is much longer is not Known's.
_LONGEST_ANSWER = 40_000_000
_CHUNK = 64 * 1024


class ConnectTimeoutError(TimeoutError):
    """Nobody took the connection in time."""


class ProxyError(Exception):
    """The way through the proxy is closed."""


class _Line(NamedTuple):
    """A connection, and what a proxy wants with each request."""

    connection: HTTPConnection
    base: str = ""  # stands before the target
    headers: Mapping[str, str] = MappingProxyType({})


class Wires:
    """Thread-safe: each request has a connection of its own."""

    def __init__(self, site: str, *, loopback: bool) -> None:
        """`loopback`: no proxy leads there."""
        self._site, self._loopback = urlsplit(site), loopback
        self._lock = threading.Lock()
        self._kept: _Line | None = None
        self._used_at = 0.0

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: Body | None, stall: float, seconds: float
    ) -> Answer:
        """Sends one request and reads its answer; nothing is followed, nothing tried again.

        `stall`: seconds for the connection, and for each chunk to leave; `seconds`: for each part of the answer, and
        for all of its body. Raises OSError, HTTPException, ProxyError, and what the body raises.
        """
        line = self._take(stall) or self._connected(stall)
        try:
            answer = _exchanged(line, method, target, headers, body, seconds)
        except BaseException:
            line.connection.close()
            raise
        self._keep(line, whole=body is None or body.finished)
        return answer

    def _take(self, stall: float) -> _Line | None:
        """The connection that was kept, if it is still good."""
        with self._lock:
            line, self._kept = self._kept, None
            fresh = time.monotonic() - self._used_at <= _FRESH
        if line is None:
            return None
        if not fresh or _spoken(line.connection):
            line.connection.close()
            return None
        line.connection.sock.settimeout(stall)
        return line

    def _keep(self, line: _Line, *, whole: bool) -> None:
        """One that was answered before all had left is not used again."""
        with self._lock:
            free = self._kept is None and whole and line.connection.sock is not None
            if free:
                self._kept, self._used_at = line, time.monotonic()
        if not free:
            line.connection.close()

    def _connected(self, stall: float) -> _Line:
        proxy = "" if self._loopback else _proxy_for(self._site.geturl())
        line = _through(proxy, self._site, stall) if proxy else _Line(_connection(self._site, self._site, stall))
        try:
            line.connection.connect()
        except TimeoutError as late:
            raise ConnectTimeoutError(str(late)) from late
        except ssl.SSLError:
            raise
        except OSError as error:
            if proxy:
                raise ProxyError(str(error)) from error
            raise
        return line


def _connection(to: SplitResult, site: SplitResult, stall: float) -> HTTPConnection:
    """Not open yet, to the host of `to`, in the way in which `site` is spoken to."""
    if site.scheme == "https":
        return HTTPSConnection(to.hostname or "", to.port or _HTTPS, timeout=stall, context=_trust())
    return HTTPConnection(to.hostname or "", to.port or _HTTP, timeout=stall)


def _through(proxy: str, site: SplitResult, stall: float) -> _Line:
    """TLS goes through a tunnel (CONNECT); what is plain is asked of the proxy by its whole address."""
    to = urlsplit(proxy)
    if to.scheme != "http":
        raise ProxyError(f"it is at a {to.scheme}:// address, and only http:// is known here")
    headers = {}
    if to.username is not None:
        named = f"{unquote(to.username)}:{unquote(to.password or '')}"
        headers = {"Proxy-Authorization": f"Basic {base64.b64encode(named.encode()).decode()}"}
    connection = _connection(to._replace(netloc=_with_port(to)), site, stall)
    host = (site.hostname or "").encode("idna").decode()
    if site.scheme == "https":
        connection.set_tunnel(host, site.port or _HTTPS, headers)
        return _Line(connection)
    return _Line(connection, f"http://{f'[{host}]' if ':' in host else host}:{site.port or _HTTP}", headers)


def _with_port(proxy: SplitResult) -> str:
    """A proxy's port is that of http, whatever is spoken to the site behind it."""
    return proxy.netloc if proxy.port else f"{proxy.netloc}:{_HTTP}"


def _trust() -> ssl.SSLContext:
    """Whose certificates are believed: those that the owner names, by the names that requests and curl know."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not named:
        import certifi

        named = certifi.where()
    if Path(named).is_dir():
        return ssl.create_default_context(capath=named)
    return ssl.create_default_context(cafile=named)


def _proxy_for(site: str) -> str:
    """As the environment tells, with its exceptions (`no_proxy`, networks among them); "" for none."""
    from urllib.request import getproxies  # a dozen modules, which posts to this machine don't need

    if not getproxies():
        return ""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(site, get_environ_proxies(site)) or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _spoken(connection: HTTPConnection) -> bool:
    """The far side has closed it, or speaks without having been asked."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return bool(selector.select(0))


def _exchanged(
    line: _Line, method: str, target: str, headers: Mapping[str, str], body: Body | None, seconds: float
) -> Answer:
    connection = line.connection
    # A site that has had enough answers and closes, perhaps before all has left: its answer counts.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, line.base + target, body, {**headers, **line.headers})
    connection.sock.settimeout(seconds)
    response = connection.getresponse()
    try:
        content = _read(response, time.monotonic() + seconds)
    finally:
        response.close()  # not the connection, unless the site says so
    return Answer(response.status, response.headers, content)


def _read(response: HTTPResponse, end: float) -> bytes:
    content = bytearray()
    while chunk := response.read1(_CHUNK):
        content += chunk
        if len(content) > _LONGEST_ANSWER or time.monotonic() > end:
            raise HTTPException("the answer does not end")
    if response.length:
        raise IncompleteRead(bytes(content), response.length)
    return bytes(content)
