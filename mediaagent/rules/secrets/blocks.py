"""Private keys: lines of base64 between two marks, of which either may be missing.

PEM (RFC 7468) with OpenSSH's, PGP's (RFC 9580) and SSH2's (RFC 4716) names for it, PuTTY's files, and keys without
their marks as far as their first bytes tell what they are (DER of PKCS #1, PKCS #8 and SEC 1; openssh-key-v1). Lines
may have something in front (a logger's time), or be parted by `\\n` or `&#10;` instead of a line's end.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterator
from typing import Any

from mediaagent.rules.secrets.hits import BASE64, Hit

__all__ = ["KIND", "REACH", "find"]

KIND = "private key"
#: So far before its last mark a key without its first mark may have begun: RSA with 16,384 bits has 13 kB.
REACH = 16 << 10
_RANK = 4

_MARK = rb"PRIVATE KEY(?: BLOCK)?-{2,5}|SSH2 ENCRYPTED PRIVATE KEY -{2,4}|Private-Lines:[ \t]*[0-9]+"
#: base64 of 30 82 …, 02 01 00, 02 82 (PKCS #1) or 30 0d (PKCS #8); of the short forms of elliptic curves; of the words
#: "openssh-key-v1"; and of "-----BEGIN" in base64 once more, as in a kubeconfig.
_HEADS = (
    rb"MII[A-Z][A-Za-z0-9+/]{2}IB(?:AAKC|AAKB|ADAN|ADCC)|MHcCAQEE|MIGkAgEBBD|MIHcAgEBBE|"
    rb"MI(?:GH|G2|Hu)AgEAM[A-Z]|MC4CAQAwBQYDK2V|b3BlbnNzaC1rZXktdjE"
)
_TWICE = rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]{30}"

_BEGIN = re.compile(rb"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}\Z")
_END = re.compile(rb"-{4,5} ?END [A-Z0-9 ]{0,40}\Z")
_CLOSING = re.compile(rb"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-{0,5}|Private-MAC:[ \t]*[0-9a-f]*")
_RUN = re.compile(rb"(?:[A-Za-z0-9+/]|\\[nr](?=[A-Za-z0-9+/])){40,}+={0,2}")
_FIRST = re.compile(rb"(?:[\s\"',+>|]|\\[nrt]|&#1[03];|&#x[aAdD];){1,80}+[A-Za-z0-9+/]{16,}+={0,2}")
_LAST = re.compile(rb"([^\n]{0,200}?)([A-Za-z0-9+/]{1,76}={0,2})[\"'\\,\r \t]*(?=\n|\Z)")
_TAIL = re.compile(rb"[A-Za-z0-9+/]{4,}={0,2}(?:\s|\\[nr]|&#1[03];)*\Z")
_CUT = re.compile(rb"(?:^|[\s\"'])([A-Za-z0-9+/]{16,76})(?:\r?\n|\\r\\n|\\n|&#10;)\Z")
_GAP = 300  # between two lines of a key: what a logger writes before the second, or another thread's line


@functools.cache
def _any() -> Any:
    import re2

    return re2.compile(b"|".join((_MARK, _HEADS, _TWICE)))


def find(text: bytes, start: int) -> Iterator[Hit]:
    """Every private key from `start` on, or what is left of it."""
    after = start
    for found in _any().finditer(text, start):
        if found.start() < after:
            continue
        hit = _key_at(text, found.start(), found.end(), after)
        if hit:
            after = hit.end
            yield hit


def _key_at(text: bytes, start: int, end: int, after: int) -> Hit | None:
    if text.startswith(b"LS0t", start):
        if b"PRIVATE KEY" not in _decoded(text[start : start + 120]):
            return None
        return _hit(text, start, _chained(text, end))
    if text[start : start + 1] in (b"M", b"b"):
        run = re.compile(rb"[A-Za-z0-9+/]*+={0,2}").match(text, start)
        return _hit(text, start, _chained(text, run.end())) if run and run.end() - start > 20 else None
    before = text[max(after, start - 60) : start]
    if closing := _END.search(before):
        begun = _begun(text, start - len(before) + closing.start(), after)
        return _hit(text, begun, end) if begun < start - len(before) + closing.start() else None
    first = _FIRST.match(text, end)
    seen = first is not None and _is_key(first[0])
    last = _chained(text, first.end() if first and seen else end, seen=seen)
    if last == end:
        return None  # only a word about one
    opening = _BEGIN.search(before)
    return _hit(text, start - len(before) + opening.start() if opening else start, last)


def _hit(text: bytes, start: int, end: int) -> Hit:
    return Hit(start, end, KIND, BASE64, _RANK)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _is_key(run: bytes) -> bool:
    """Neither a commit nor a path, which are made of the same characters."""
    return run.count(b"/") * 10 <= len(run) and not re.fullmatch(rb"[\s0-9a-f]*", run)


def _chained(text: bytes, at: int, *, seen: bool = True) -> int:
    """Where a key ends of which a part ends at `at`: after the last line like it, and after its closing mark. `seen`:
    some of the key itself came before `at`."""
    while True:
        closing = _CLOSING.search(text, at, at + _GAP + 60)
        run = _RUN.search(text, at, at + _GAP + 40)
        if closing and seen and (run is None or closing.start() <= run.start()):
            return closing.end()
        if run is None or b"-----" in text[at : run.start()] or not _is_key(run[0]):
            return _with_last_line(text, at) if seen else at
        at, seen = _RUN.match(text, run.start()).end(), True  # type: ignore[union-attr]  # as far as it goes


def _with_last_line(text: bytes, at: int) -> int:
    """A key that was cut has a last line shorter than the others, with as much in front of it."""
    line = text[max(0, at - 300) : at].rpartition(b"\n")[2]
    run = re.search(rb"[A-Za-z0-9+/]{16,}={0,2}\Z", line)
    last = _LAST.match(text, at + 1) if run and text[at : at + 1] == b"\n" else None
    if last is None or not run or abs(len(last[1]) - run.start()) > 4 or len(last[2]) > len(run[0]):
        return at
    return last.end(2)


def _begun(text: bytes, at: int, after: int) -> int:
    """Where a key begins whose closing mark stands at `at`, and whose first mark is missing."""
    lowest, begun = max(after, at - REACH), at
    if tail := _TAIL.search(text[max(lowest, at - 120) : at]):
        begun = max(lowest, at - 120) + tail.start()
    while begun > lowest:
        since = max(lowest, begun - _GAP - 100)
        run = next((run for run in reversed(list(_RUN.finditer(text, since, begun))) if _is_key(run[0])), None)
        if run is None or b"-----" in text[run.end() : begun]:
            break
        begun = run.start()
    return _with_first_line(text, begun, lowest) if begun < at else at


def _with_first_line(text: bytes, begun: int, lowest: int) -> int:
    """What is left of a line that was cut at its beginning."""
    first = _CUT.search(text[max(lowest, begun - 120) : begun])
    cut = bool(first) and not first[1].islower() and not first[1].isupper() and _is_key(first[1])  # type: ignore[index]
    return max(lowest, begun - 120) + first.start(1) if first and cut else begun
