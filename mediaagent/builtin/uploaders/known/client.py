"""Talks HTTP to one Known site: signed, never redirected, each failure of the network told as Deferred.

A client lives for one call of the uploader, so a renewed key is read at once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions

from mediaagent.api import Deferred
from mediaagent.builtin.uploaders.known.answers import Answer
from mediaagent.builtin.uploaders.known.body import Body, ShortFileError
from mediaagent.builtin.uploaders.known.signing import signature, target
from mediaagent.builtin.uploaders.known.wires import Wires

__all__ = ["Client"]

#: Also the time in which each chunk of a body has to leave (urllib3 sends under the connection's time-out).
_CONNECT_SECONDS = 30.0
#: A list of ten posts is 30 kB; what is longer is not Known's.
_LONGEST_ANSWER = 4_000_000
_BYTES_A_SECOND = 1_000_000  # what the slowest site turns a picture over in; measured: 14 MB/s on two old cores


class Client:
    """One user at one site. Use as a context manager."""

    def __init__(self, site: str, user: str, key: str, *, seconds: float, wires: Wires) -> None:
        self.site = site.rstrip("/")
        self._key, self._seconds, self._wires = key, seconds, wires
        self._headers = {"Accept": "application/json", "User-Agent": "mediaagent", "X-KNOWN-USERNAME": user}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._wires.done()

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
        url = self.site + target(path)
        seconds = self._seconds + (len(body) / _BYTES_A_SECOND if body else 0)
        stall = min(_CONNECT_SECONDS, seconds)
        answered = False
        try:
            response = self._wires.send(method, url, self._signed(url, body), body, stall, seconds)
            answer = Answer(response.status, _small(response.headers), _read(response, seconds))
            answered = body is None or body.finished
            return answer
        except (exceptions.HTTPError, ShortFileError) as error:
            words = _words(error, urlsplit(url).hostname or url, seconds)
            if "timed out" in str(error) and body and body.started and not body.finished:
                words = f"the site stopped reading in the middle of what we sent, for {stall:.0f} s"
            raise Deferred(
                f"{self.site}: {words}",
                in_doubt=body is not None and body.started,
                target_down=not isinstance(error, ShortFileError),
            ) from None  # the request in the original carries the signature
        finally:
            if answered:
                self._wires.done()
            else:
                self._wires.cut()

    def _signed(self, url: str, body: Body | None) -> dict[str, str]:
        sent = {"Content-Type": body.media_type, "Content-Length": str(len(body))} if body else {}
        as_sent = urllib3.util.parse_url(url).request_uri
        return {**self._headers, **sent, "X-KNOWN-SIGNATURE": signature(self._key, as_sent)}


def _small(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _read(response: urllib3.BaseHTTPResponse, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    body = bytearray()
    try:
        for chunk in response.stream(64 * 1024):
            body += chunk
            if len(body) > _LONGEST_ANSWER or time.monotonic() > end:
                raise exceptions.ProtocolError("the answer does not end")
    except BaseException:
        response.close()  # what is left of it must not be taken for the next one
        raise
    response.release_conn()
    return bytes(body)


def _words(error: Exception, host: str, seconds: float) -> str:
    text = str(error)
    if isinstance(error, ShortFileError):
        return text
    if isinstance(error, exceptions.SSLError):
        return f"no secure connection: {_tls_words(text)}"
    if isinstance(error, exceptions.ProxyError):
        return "the proxy could not be used"
    if isinstance(error, exceptions.NameResolutionError):
        return f'there is no host "{host}", or the name service is out of reach'
    # To urllib3 a refused connection is one that came too late, too.
    late = isinstance(error, exceptions.TimeoutError) and not isinstance(error, exceptions.NewConnectionError)
    if late and isinstance(error, exceptions.ConnectTimeoutError):
        return "no connection in time"
    if late or "timed out" in text:
        return f"no answer within {seconds:.0f} s"
    for mark, words in _CAUSES.items():
        if mark in text:
            return words
    return "the connection broke"


def _tls_words(text: str) -> str:
    """What OpenSSL said, wrapped in brackets by three libraries, in words."""
    for mark, words in _TLS_CAUSES.items():
        if mark in text:
            return words
    found = re.search(r"\[SSL[^\]]*\] ([^()\[\]]+)", text)
    return found[1].strip(" '.") if found else "the two sides did not agree"


_NO_TLS = "this port does not speak TLS: is it http?"
_UNTRUSTED = "the site's certificate is signed by nobody that this machine trusts"
_OTHER_NAME = "the site's certificate is for another name: is `site` its real address?"
_OTHER_TLS = "the site wants another kind of TLS than this machine has"
_TLS_CAUSES = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "certificate has expired": "the site's certificate has expired",
    "certificate is not yet valid": "the site's certificate is not valid yet: is this machine's clock right?",
    "self-signed certificate": f"{_UNTRUSTED}; if it is your own, name its file in REQUESTS_CA_BUNDLE",
    "self signed certificate": f"{_UNTRUSTED}; if it is your own, name its file in REQUESTS_CA_BUNDLE",
    "unable to get local issuer": f"{_UNTRUSTED}: its chain, or the list of authorities here, lacks a part",
    "ertificate is not valid for": _OTHER_NAME,
    "doesn't match": _OTHER_NAME,
    "UNEXPECTED_EOF": "the other side broke off while it was made",
    "HANDSHAKE_FAILURE": _OTHER_TLS,
    "UNSUPPORTED_PROTOCOL": _OTHER_TLS,
}
_CAUSES = {
    "Connection refused": "connection refused: nothing answers there",
    "Network is unreachable": "the network is unreachable",
    "No route to host": "there is no route to the host",
    "does not end": "the answer does not end",
}
