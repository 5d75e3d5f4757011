"""Redacting a text of any length piece by piece, in constant memory.

What is looked at is a window: the last bytes that went out (for what stands before a name), what may still become part
of a secret, and the newest piece. A secret is taken out only when so much behind it is there that its end is sure; what
goes on beyond a window is dropped up to where it ends.
"""

from __future__ import annotations

import re
from collections import Counter

from mediaagent.rules import secrets
from mediaagent.rules.secrets import blocks
from mediaagent.rules.secrets.hits import OPEN, Hit

__all__ = ["Redactor"]

_WINDOW = 256 << 10
_BEFORE = 512  # bytes that tell what a name is, and where its line began
_AHEAD = 8 << 10  # bytes behind a secret's beginning by which it is known to be one
_LONGEST_WAIT = 64 << 10  # a secret longer than this isn't waited for


class Redactor:
    """Takes the secrets out of the bytes that are fed to it.

    >>> redactor = Redactor()
    >>> redactor.feed(b"a token=gh") + redactor.feed(b"p_" + b"a1" * 18 + b" ok") + redactor.end(), redactor.found
    (b'a token=[redacted: GitHub token] ok', Counter({'GitHub token': 1}))
    """

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._text = b""  # the window: up to `_done` it has gone out
        self._done = 0
        self._rest: re.Pattern[bytes] | None = None  # within a secret, and by what it goes on

    def feed(self, data: bytes) -> bytes:
        """What can go out by now."""
        self._pieces.append(data)
        self._waiting += len(data)
        return self._work(final=False) if self._waiting >= _WINDOW else b""

    def end(self) -> bytes:
        """All the rest."""
        return self._work(final=True)

    def _work(self, *, final: bool) -> bytes:
        self._text = b"".join((self._text, *self._pieces))
        self._pieces, self._waiting = [], 0
        out: list[bytes] = []
        if self._rest is None or self._went_on(final=final):
            self._take_out(out, final=final)
        if self._done > _BEFORE:
            self._text, self._done = self._text[self._done - _BEFORE :], _BEFORE
        return b"".join(out)

    def _went_on(self, *, final: bool) -> bool:
        """Drops what goes on of a secret. Returns whether its end was there."""
        rest = self._rest.match(self._text, self._done) if self._rest else None
        end = rest.end() if rest else self._done
        if not final and end > len(self._text) - OPEN:
            self._done = self._sure_end(self._done)
            return False
        self._done, self._rest = end, None
        return True

    def _sure_end(self, start: int) -> int:
        """Where to go on within a secret: not in the middle of what is read together."""
        end = max(start, len(self._text) - OPEN)
        while end > start and self._text[end - 1 : end] in (b"\\", b"&", b"%"):
            end -= 1
        return end

    def _take_out(self, out: list[bytes], *, final: bool) -> None:
        length = len(self._text)
        safe = length if final else max(self._done, length - _AHEAD - blocks.REACH)
        for hit in secrets.find(self._text, self._done):
            if hit.start >= safe:
                break
            is_open = not final and hit.end > length - OPEN
            if is_open and hit.end - hit.start < _LONGEST_WAIT:
                safe = hit.start
                break
            self._replace(hit, out)
            if is_open:
                self._done, self._rest = self._sure_end(hit.start), hit.rest
                return
        out.append(self._text[self._done : max(self._done, safe)])
        self._done = max(self._done, safe)

    def _replace(self, hit: Hit, out: list[bytes]) -> None:
        out += (self._text[self._done : hit.start], secrets.marker(hit.kind).encode())
        self.found[hit.kind] += 1
        self._done = hit.end
