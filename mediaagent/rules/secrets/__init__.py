"""What counts as a secret, and a text without it.

Each kind of secret is found in its own way: by its shape (`shapes`), by its marks (`blocks`), by the name whose value
it is (`assignments`, with `names` and `values`), or by where it stands (`places`). All of them look for beginnings with
RE2, which takes the same time for any input, and then at a bounded piece of text around. They are loaded when a text
may hold something (`glance`).
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mediaagent.rules.secrets.glance import surely_none

if TYPE_CHECKING:
    from mediaagent.rules.secrets.hits import Hit

__all__ = ["PROPERTIES", "counted", "find", "kinds", "marker", "redact", "values_in", "without_markers"]

#: What is told of a report whose system properties were left out.
PROPERTIES = "list of system properties"
_MARKER = re.compile(r"\[redacted: [^\]]*\]")


@functools.cache
def kinds() -> frozenset[str]:
    """All that there are."""
    from mediaagent.rules.secrets import blocks, names, places, shapes

    return frozenset({blocks.KIND, PROPERTIES, *shapes.KINDS, *names.KINDS, *places.KINDS})


def find(text: bytes, start: int = 0) -> Iterator[Hit]:
    """Every secret from `start` on, in order; what stands before it is looked at to understand the first ones."""
    from mediaagent.rules.secrets import assignments, blocks, places, shapes
    from mediaagent.rules.secrets.hits import joined

    yield from joined(
        hit
        for way in (shapes.find, blocks.find, assignments.find, places.find)
        for hit in way(text, start)
        if hit.start >= start
    )


def marker(kind: str) -> str:
    """What stands in the place of a secret."""
    return f"[redacted: {kind}]"


def without_markers(text: str) -> str:
    """For names and addresses, which have no room for them.

    >>> without_markers("log-[redacted: GitHub token].txt")
    'log-redacted.txt'
    """
    return _MARKER.sub("redacted", text)


def redact(text: str) -> tuple[str, Counter[str]]:
    """A text without secrets, and how many of which kind there were.

    >>> redact("curl -H 'X-Auth-Token: 9b1deb4d3b7d' https://bob:hunter2@example.org/")
    ("curl -H 'X-Auth-Token: [redacted: token]' https://bob:[redacted: password]@example.org/", Counter({'token': 1, \
'password': 1}))
    >>> redact("the key is missing; token: str, password: None at c0ffee254729296a45a3885639ac7dbdeadbeef1")[1]
    Counter()
    """
    data = text.encode("utf-8", "surrogatepass")
    if surely_none(data):
        return text, Counter()
    kept, found, at = bytearray(), Counter[str](), 0
    for hit in find(data):
        kept += data[at : hit.start] + marker(hit.kind).encode()
        found[hit.kind] += 1
        at = hit.end
    kept += data[at:]
    return (bytes(kept).decode("utf-8", "surrogatepass") if found else text), found


def values_in(text: str) -> frozenset[str]:
    """The secrets themselves that a text holds."""
    data = text.encode("utf-8", "surrogatepass")
    if surely_none(data):
        return frozenset()
    return frozenset(data[hit.start : hit.end].decode("utf-8", "replace") for hit in find(data))


def counted(found: Mapping[str, int]) -> str:
    """
    >>> counted({"private key": 1, "GitHub token": 2})
    '2 GitHub tokens, 1 private key'
    """
    most_first = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count} {kind if count == 1 else _plural(kind)}" for kind, count in most_first)


def _plural(kind: str) -> str:
    first, of, rest = kind.partition(" of ")
    return f"{first}{'es' if first.endswith(('s', 'sh')) else 's'}{of}{rest}"
