"""Where secrets stand in a text: places to be filled with a marker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["BASE64", "LINE", "OPEN", "Hit", "joined"]

#: So many bytes before the end of what is there nothing is sure to have ended.
OPEN = 256

#: How a secret goes on that is longer than what was looked at.
LINE = re.compile(rb"[^\n]*+")
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/=\s\"',]|\\[nr]|&#1[03];|&#x[aAdD];)*+")


class Hit(NamedTuple):
    """From `start` to before `end` stands a secret. `rest`: by what it goes on where `end` is that of all there is."""

    start: int
    end: int
    kind: str
    rest: re.Pattern[bytes]
    rank: int = 0  # of hits that overlap, the kind of the highest is told


def joined(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Hits in order, those that overlap as one.

    >>> hits = Hit(4, 9, "b", LINE, 1), Hit(2, 6, "a", LINE), Hit(9, 10, "c", LINE)
    >>> [(hit.start, hit.end, hit.kind) for hit in joined(hits)]
    [(2, 9, 'b'), (9, 10, 'c')]
    """
    last: Hit | None = None
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if last is None or hit.start >= last.end:
            if last:
                yield last
            last = hit
        else:
            kind = max(last, hit, key=lambda each: each.rank)
            end = max(last, hit, key=lambda each: each.end)
            last = last._replace(end=end.end, rest=end.rest, kind=kind.kind, rank=kind.rank)
    if last:
        yield last
