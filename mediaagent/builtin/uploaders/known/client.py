"""Talks HTTP to one Known site: signed, never redirected, each failure of the network told as Deferred.

A client lives for one call of the uploader, so a renewed key is read at once.
"""

from __future__ import annotations

from http.client import HTTPException
from urllib.parse import urlsplit

from mediaagent.api import Deferred
from mediaagent.builtin.uploaders.known import troubles
from mediaagent.builtin.uploaders.known.answers import Answer
from mediaagent.builtin.uploaders.known.body import Body, ShortFileError
from mediaagent.builtin.uploaders.known.signing import signature, target
from mediaagent.builtin.uploaders.known.wires import ProxyError, Wires

__all__ = ["Client"]

#: Also the time in which each chunk of a body has to leave.
_CONNECT_SECONDS = 30.0
_BYTES_A_SECOND = 1_000_000  # what the slowest site turns a picture over in; measured: 14 MB/s on two old cores


class Client:
    """One user at one site."""

    def __init__(self, site: str, user: str, key: str, *, seconds: float, wires: Wires) -> None:
        self.site = site.rstrip("/")
        parts = urlsplit(self.site)
        self._host, self._below = parts.hostname or self.site, target(parts.path)
        self._key, self._seconds, self._wires = key, seconds, wires
        self._headers = {"Accept": "application/json", "User-Agent": "mediaagent", "X-KNOWN-USERNAME": user}

    def get(self, path: str) -> Answer:
        """Asks for `path` (below the site's address, with its query). Raises Deferred when there is no answer."""
        return self._send("GET", path, None)

    def head(self, path: str) -> Answer:
        """The same, without the body."""
        return self._send("HEAD", path, None)

    def post(self, path: str, body: Body) -> Answer:
        """Sends `body` to `path`. Raises Deferred when there is no answer: in doubt once any of it had left."""
        try:
            return self._send("POST", path, body)
        finally:
            body.close()

    def _send(self, method: str, path: str, body: Body | None) -> Answer:
        seconds = self._seconds + (len(body) / _BYTES_A_SECOND if body else 0)
        stall = min(_CONNECT_SECONDS, seconds)
        asked = self._below + target(path)
        try:
            return self._wires.exchange(method, asked, self._signed(asked, body), body, stall, seconds)
        except (OSError, HTTPException, ProxyError, ShortFileError) as error:
            words = troubles.words(error, self._host, seconds)
            if isinstance(error, TimeoutError) and body and body.started and not body.finished:
                words = f"the site stopped reading in the middle of what we sent, for {stall:.0f} s"
            raise Deferred(
                f"{self.site}: {words}",
                in_doubt=body is not None and body.started,
                target_down=not isinstance(error, ShortFileError),
            ) from error

    def _signed(self, asked: str, body: Body | None) -> dict[str, str]:
        sent = {"Content-Type": body.media_type, "Content-Length": str(len(body))} if body else {}
        return {**self._headers, **sent, "X-KNOWN-SIGNATURE": signature(self._key, asked)}
