"""Talks HTTP to one Known site: signed, never redirected, each failure of the network told as Deferred.

The only module that imports requests. A client lives for one call of the uploader: no connection idles until the site
has dropped it (a reset that would look like a lost reply), and a renewed key is read at once.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies

from mediaagent.api import Deferred
from mediaagent.builtin.uploaders.known.answers import Answer
from mediaagent.builtin.uploaders.known.body import Body, ShortFileError
from mediaagent.builtin.uploaders.known.signing import signature, target

__all__ = ["Client"]

#: Also the time in which each chunk of a body has to leave (urllib3 sends under the connection's time-out).
_CONNECT_SECONDS = 30.0
#: A list of ten posts is 30 kB; what is longer is not Known's.
_LONGEST_ANSWER = 4_000_000
_BYTES_A_SECOND = 1_000_000  # what the slowest site turns a picture over in; measured: 14 MB/s on two old cores


class Client:
    """One user at one site. Use as a context manager."""

    def __init__(self, site: str, user: str, key: str, *, seconds: float, loopback: bool) -> None:
        self.site = site.rstrip("/")
        self._user, self._key, self._seconds = user, key, seconds
        self._session = session = requests.Session()
        session.trust_env = False  # a .netrc would put its own Authorization beside the signature
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        if not loopback:
            session.proxies.update(get_environ_proxies(self.site))
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers = requests.structures.CaseInsensitiveDict(
            {"Accept": "application/json", "User-Agent": "mediaagent", "X-KNOWN-USERNAME": user}
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._session.close()

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
        headers = {"Content-Type": body.media_type} if body else {}
        request = self._session.prepare_request(requests.Request(method, url, data=body, headers=headers))
        request.headers["X-KNOWN-SIGNATURE"] = signature(self._key, request.path_url)
        seconds = self._seconds + (len(body) / _BYTES_A_SECOND if body else 0)
        stall = min(_CONNECT_SECONDS, seconds)
        try:
            with self._session.send(request, stream=True, allow_redirects=False, timeout=(stall, seconds)) as response:
                return Answer(response.status_code, _small(response.headers), _read(response, seconds))
        except (requests.RequestException, ShortFileError) as error:
            words = _words(error, urlsplit(url).hostname or url, seconds)
            if "timed out" in str(error) and body and body.started and not body.finished:
                words = f"the site stopped reading in the middle of what we sent, for {stall:.0f} s"
            raise Deferred(
                f"{self.site}: {words}",
                in_doubt=body is not None and body.started,
                target_down=not isinstance(error, ShortFileError),
            ) from None  # the request in the original carries the signature


def _small(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _read(response: requests.Response, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > _LONGEST_ANSWER or time.monotonic() > end:
            raise requests.ConnectionError("the answer does not end")
    return bytes(body)


def _words(error: Exception, host: str, seconds: float) -> str:
    text = str(error)
    if isinstance(error, ShortFileError):
        return text
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection: {_tls_words(text)}"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy could not be used"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return f"no answer within {seconds:.0f} s"
    for mark, words in _CAUSES.items():
        if mark in text:
            return words.format(host=host)
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
    "NameResolutionError": 'there is no host "{host}", or the name service is out of reach',
    "Connection refused": "connection refused: nothing answers there",
    "Network is unreachable": "the network is unreachable",
    "No route to host": "there is no route to the host",
    "does not end": "the answer does not end",
}
