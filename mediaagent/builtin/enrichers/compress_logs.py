"""Cuts long logs: the beginning tells what was run, the end how it ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from mediaagent.api import readable_size

__all__ = ["cut"]

_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16  # a longer one (or one of half of all that stays) is cut in two


def cut(source: Path, target: Path, head: int, tail: int) -> int:
    """Writes the first `head` and the last `tail` bytes of a log, as far as they are whole lines.

    Returns how many bytes are left out (a line in their place says it, too); 0: none, and nothing was written. Raises
    OSError.
    """
    with open(source, "rb") as log:
        size = os.fstat(log.fileno()).st_size
        end = _end_of_line(log, min(head, size), min(_LONGEST_LINE, head // 2))
        start = _start_of_line(log, max(0, size - tail), min(_LONGEST_LINE, tail // 2))
        if start <= end:
            return 0
        with open(target, "wb") as out:
            _copy(log, 0, end, out)
            said = f"[... {start - end} bytes ({readable_size(start - end)}) are left out here ...]\n"
            out.write((b"" if _byte(log, end - 1) in (b"\n", b"") else b"\n") + said.encode("ascii"))
            _copy(log, start, size, out)
    return start - end


def _end_of_line(log: BinaryIO, at: int, look: int) -> int:
    """The last place up to `at` where a line ends, or else a character of UTF-8."""
    log.seek(max(0, at - look))
    before = log.read(min(at, look))
    newline = before.rfind(b"\n")
    return at - len(before) + newline + 1 if newline >= 0 else at - _begun(log, at)


def _start_of_line(log: BinaryIO, at: int, look: int) -> int:
    """The first place from `at` where a line begins, or else a character of UTF-8."""
    log.seek(max(0, at - 1))
    newline = log.read(look).find(b"\n")  # with the byte before
    return at + newline if at and newline >= 0 else at - _begun(log, at)


def _begun(log: BinaryIO, at: int) -> int:
    """How many bytes of a character stand before `at` whose rest stands behind it."""
    log.seek(max(0, at - 3))
    around = log.read(min(at, 3) + 1)
    if len(around) < min(at, 3) + 1 or around[-1] & 0xC0 != 0x80:
        return 0
    for back, byte in enumerate(reversed(around[:-1]), 1):
        if byte & 0xC0 == 0xC0:
            return back
    return 0  # no UTF-8


def _byte(log: BinaryIO, at: int) -> bytes:
    if at < 0:
        return b""
    log.seek(at)
    return log.read(1)


def _copy(log: BinaryIO, at: int, end: int, out: BinaryIO) -> None:
    log.seek(at)
    while at < end and (block := log.read(min(_BLOCK, end - at))):
        at += len(block)
        out.write(block)
