"""What a broken exchange with a site means, in words that its owner can use."""

from __future__ import annotations

import re
import socket
import ssl

from mediaagent.builtin.uploaders.known.body import ShortFileError
from mediaagent.builtin.uploaders.known.wires import ConnectTimeoutError, ProxyError

__all__ = ["words"]


def words(error: Exception, host: str, seconds: float) -> str:
    """Why there is no answer from `host`, which had `seconds` for it."""
    if isinstance(error, ShortFileError):
        return str(error)
    if isinstance(error, ProxyError):
        return f"the proxy could not be used: {error}"
    if isinstance(error, ConnectTimeoutError):
        return "no connection in time"
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    if isinstance(error, ssl.SSLError):
        return f"no secure connection: {_tls_words(str(error))}"
    if isinstance(error, socket.gaierror):
        return f'there is no host "{host}", or the name service is out of reach'
    for mark, told in _CAUSES.items():
        if mark in str(error):
            return told
    return "the connection broke"


def _tls_words(text: str) -> str:
    """What OpenSSL said, wrapped in brackets, in words."""
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
