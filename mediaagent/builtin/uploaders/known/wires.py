"""Connections to one site, kept while one request follows the other.

The only module that imports urllib3, whose own pool it is. `requests`, which is built on it, takes twice the time for a
picture (measured: 1.6 ms of 2.7) and is asked for nothing but the way through a proxy.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import urllib3

__all__ = ["Wires"]

#: Seconds after which a connection is not used again. Servers drop those that idle (Apache after five seconds): what is
#: sent at that moment would look like a lost reply.
_FRESH = 1.0


class Wires:
    """Thread-safe: each request has a connection of its own."""

    def __init__(self, site: str, *, loopback: bool) -> None:
        self._site, self._loopback = site, loopback
        self._lock = threading.Lock()
        self._pool: urllib3.PoolManager | None = None
        self._used_at = 0.0

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None,
        stall: float,
        seconds: float,
    ) -> urllib3.BaseHTTPResponse:
        """The answer's beginning; nothing is followed, nothing tried again. Raises urllib3.exceptions.HTTPError.

        `stall`: seconds for the connection, and for each chunk to leave; `seconds`: for each part of the answer."""
        return self._fresh().urlopen(
            method,
            url,
            headers=dict(headers),
            body=body,
            timeout=urllib3.Timeout(connect=stall, read=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def done(self) -> None:
        """What was sent is answered: for a moment the connection may serve again."""
        self._used_at = time.monotonic()

    def cut(self) -> None:
        """No connection is used again."""
        with self._lock:
            if self._pool:
                self._pool.clear()

    def _fresh(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None:
                self._pool = _pool(self._site, self._loopback)
            elif time.monotonic() - self._used_at > _FRESH:
                self._pool.clear()
            return self._pool


def _pool(site: str, loopback: bool) -> urllib3.PoolManager:
    trust = _trusted() if site.startswith("https:") else {}
    proxy = "" if loopback or not getproxies() else _proxy_for(site)
    if not proxy:
        return urllib3.PoolManager(num_pools=1, maxsize=2, **trust)
    named = urllib3.util.parse_url(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=named.auth) if named.auth else None
    return urllib3.ProxyManager(proxy, num_pools=1, maxsize=2, proxy_headers=headers, **trust)


def _trusted() -> dict[str, Any]:
    """Whose certificates are believed: those that the owner names, by the names that requests and curl know."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if not named:
        import certifi

        named = certifi.where()
    return {"cert_reqs": "CERT_REQUIRED", "ca_cert_dir" if Path(named).is_dir() else "ca_certs": named}


def _proxy_for(site: str) -> str:
    """As the environment tells, with its exceptions (`no_proxy`, networks among them); "" for none."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(site, get_environ_proxies(site)) or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"
