"""Secrets whose values are known: this machine's own, as they stand in its settings.

They are looked for as they are and in the forms in which programs write such a thing down: base64 (also inside of a
longer text, where it depends on the place what it looks like), percent-encoded, escaped for JSON and XML, in UTF-16.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from mediaagent.rules.secrets import marker

__all__ = ["KIND", "LEAST", "Known"]

KIND = "key of this agent"
LEAST = 8  # characters; anything shorter would be found everywhere


_WIDE = ("utf-16-le", "utf-16-be")


def _encoded(value: str, encoding: str) -> bytes:
    return value.encode(encoding, "surrogatepass")


def _forms(value: str) -> Iterator[bytes]:
    data = _encoded(value, "utf-8")
    yield data
    yield from (quote(value, safe="").encode(), quote_plus(value).encode(), quote(value).encode())
    yield from (json.dumps(value)[1:-1].encode(), html.escape(value).encode(), data.hex().encode())
    yield from (_encoded(value, encoding) for encoding in _WIDE)
    for place in range(3):
        encoded = base64.b64encode(bytes(place) + data).rstrip(b"=")
        inner = encoded[(0, 2, 3)[place] : len(encoded) - (1 if (place + len(data)) % 3 else 0)]
        yield from (inner, inner.replace(b"+", b"-").replace(b"/", b"_"))


class Known:
    """Values to look for. Without any it finds nothing.

    >>> known = Known(["correct horse battery"])
    >>> known.redact("user:correct horse battery"), known.holds(base64.b64encode(b"user:correct horse battery"))
    (('user:[redacted: key of this agent]', 1), True)
    """

    def __init__(self, values: Iterable[str]) -> None:
        values = frozenset(values)
        found = {form for value in values if len(value) >= LEAST for form in _forms(value)}
        self.forms = sorted((form for form in found if len(form) >= LEAST), key=len, reverse=True)
        self._wide = {form: encoding for value in values for encoding in _WIDE for form in [_encoded(value, encoding)]}
        self._any = re.compile(b"|".join(map(re.escape, self.forms)))
        #: so many bytes at the end of a piece may be the beginning of one
        self.overlap = max(map(len, self.forms), default=1) - 1

    def __bool__(self) -> bool:
        return bool(self.forms)

    def holds(self, data: bytes) -> bool:
        return any(form in data for form in self.forms)

    def places(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Where they begin and end, and what to write there."""
        for found in self._any.finditer(data) if self.holds(data) else ():
            yield *found.span(), marker(KIND).encode(self._wide.get(found[0], "ascii"))

    def redact(self, text: str) -> tuple[str, int]:
        """The text without them, and how many there were."""
        data, at, count, kept = text.encode("utf-8", "surrogatepass"), 0, 0, bytearray()
        for start, end, mark in self.places(data):
            kept += data[at:start] + mark
            at, count = end, count + 1
        kept += data[at:]
        return (bytes(kept).decode("utf-8", "replace") if count else text), count
