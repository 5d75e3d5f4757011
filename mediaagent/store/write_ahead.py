"""Whether a write-ahead log that a killed owner left behind still holds every commit that was made.

SQLite reads such a log up to the first frame whose checksum is wrong and takes that for its end, without a word: one
damaged sector in it undoes every commit that follows, and a post that was sent is not sent any more. What lies behind
that end tells whether something was there. Layout: https://www.sqlite.org/walformat.html
"""

from __future__ import annotations

import enum
import os
import struct
from pathlib import Path
from typing import NamedTuple

__all__ = ["Loss", "WriteAheadLog"]

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint's number, salt 1 and 2, checksum 1 and 2
_FRAME = struct.Struct(">6I")  # page, pages after a commit (else 0), salt 1 and 2, checksum 1 and 2
_ORDERS = {0x377F0682: "<", 0x377F0683: ">"}  # by magic: in which order the checksums take a word's bytes
#: With each new start of the log its first salt grows by one. What is further back than this is not an older one.
_OLDEST = 1 << 16


class Loss(enum.Enum):
    """What is missing from a log."""

    NOTHING = enum.auto()
    PERHAPS = enum.auto()  # something was being written, or was undone, or was committed and damaged since
    COMMITS = enum.auto()


class _Frame(NamedTuple):
    ours: bool  # of this log; not of one that was there before it, and not noise
    older: bool
    commits: bool


class WriteAheadLog:
    """The frames of a log, read before SQLite opens it."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._read(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, size: int) -> None:
        self._frames: list[_Frame] = []
        self._headless, self._header = False, b""
        if size < _HEADER.size + _FRAME.size:
            return
        header = self._header = os.pread(descriptor, _HEADER.size, 0)
        _, _, page_size, _, *salts, _, _ = _HEADER.unpack(header)
        if not _is_header(header):
            self._headless = True
            return
        for offset in range(_HEADER.size, size - _FRAME.size + 1, _FRAME.size + page_size):
            _, pages, *found, _, _ = _FRAME.unpack(os.pread(descriptor, _FRAME.size, offset))
            older = found[1] != salts[1] and (salts[0] - found[0]) % (1 << 32) < _OLDEST
            self._frames.append(_Frame(found == salts, older, pages > 0))

    def loss(self, whole: int) -> Loss:
        """`whole`: how many frames SQLite found to be good."""
        if self._headless:
            return Loss.COMMITS
        behind = self._frames[whole:]
        while behind and behind[-1].older:
            behind.pop()
        # A commit is whole on disk before the next one begins (but for notes that wait for the next flush), so one that
        # others follow was made. Of the last one any frames may be missing: the disk had some of them when the power
        # went. What isn't ours may be noise, or left of the log's first run: only the salts of later ones count on.
        last = max((number for number, frame in enumerate(behind) if frame.ours), default=0)
        if any(frame.ours and frame.commits for frame in behind[:last]):
            return Loss.COMMITS
        return Loss.PERHAPS if behind else Loss.NOTHING

    def still(self, path: Path) -> bool:
        """Whether it is the same log that lies there, and no other program has begun a new one meanwhile."""
        try:
            return WriteAheadLog(path)._header == self._header
        except FileNotFoundError:
            return False


def _is_header(header: bytes) -> bool:
    magic, *_, first, second = _HEADER.unpack(header)
    if magic not in _ORDERS:
        return False
    one = other = 0
    for left, right in struct.iter_unpack(f"{_ORDERS[magic]}2I", header[:24]):
        one = (one + left + other) % (1 << 32)
        other = (other + right + one) % (1 << 32)
    return (one, other) == (first, second)
