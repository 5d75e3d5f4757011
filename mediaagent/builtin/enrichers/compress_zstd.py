"""Writes files as zstd (RFC 8878): in little memory whatever their size, and holes cost next to nothing.

A file with holes becomes several frames one after the other (RFC 8878, section 3), which `zstd -d` reads as one file: a
frame for each run of data, and for a hole ready-made frames of zeros. A core dump is mostly holes, and reading 2 GB of
them takes longer than all the rest of the work.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Run", "TooMuch", "compress", "runs"]

_LEVEL = 3
_BLOCK = 1 << 20
#: Shorter holes are read as the zeros that they are: each frame costs some bytes, and what was learnt before it.
_HOLE = 1 << 20
_FRAME = 64 << 20  # zeros in a ready-made frame, which has 2 kB


class TooMuch(Exception):
    """What comes out is longer than it may be."""


class Run(NamedTuple):
    """A stretch of a file."""

    offset: int
    length: int
    hole: bool  # zeros that take no room on the disk


def compress(source: Path, target: Path, most: int) -> int:
    """Writes `source` to `target` as zstd, with checksums; how many bytes that are.

    Raises TooMuch when they are more than `most`, or than the system lets us write into one file; then there is no
    `target`. Raises OSError. What is written is not flushed to the disk.
    """
    temporary = target.with_name(target.name + ".tmp")
    written = 0
    try:
        with open(source, "rb", buffering=0) as file, open(temporary, "wb", buffering=0) as out:
            for piece in _pieces(file.fileno(), os.fstat(file.fileno()).st_size):
                written += len(piece)
                if written > most:
                    raise TooMuch
                _write_all(out.fileno(), piece)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno == errno.EFBIG:  # the workbench's own limit, or the file system's
            raise TooMuch from None
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(target)
    return written


def runs(descriptor: int, size: int) -> Iterator[Run]:
    """The file from its beginning to its end: data, and holes long enough to count."""
    at = 0
    while at < size:
        start = _next(descriptor, at, "SEEK_DATA", size)
        if start - at >= _HOLE:
            yield Run(at, start - at, True)
            at = start
        if at < size:
            end = _end_of_data(descriptor, max(at, start), size)
            yield Run(at, end - at, False)
            at = end


def _end_of_data(descriptor: int, at: int, size: int) -> int:
    """Where the next hole begins that counts."""
    while at < size:
        end = _next(descriptor, at, "SEEK_HOLE", size)
        at = _next(descriptor, end, "SEEK_DATA", size) if end < size else size
        if at - end >= _HOLE:
            return end
    return size


def _next(descriptor: int, at: int, what: str, size: int) -> int:
    """The next data or hole from `at`; where the system can't tell, all of it is data."""
    whence = getattr(os, what, None)
    if whence is not None:
        try:
            return min(os.lseek(descriptor, at, whence), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing of that kind behind `at`
                return size
    return at if what == "SEEK_DATA" else size


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    for run in runs(descriptor, size):
        if run.hole:
            yield from [_zeros(_FRAME)] * (run.length // _FRAME)
            if run.length % _FRAME:
                yield _zeros(run.length % _FRAME)
        else:
            yield from _frame(descriptor, run)
    if not size:
        yield _zeros(0)


def _frame(descriptor: int, run: Run) -> Iterator[bytes]:
    import zstandard

    writer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj(size=run.length)
    at, end = run.offset, run.offset + run.length
    while at < end:
        block = os.pread(descriptor, min(_BLOCK, end - at), at)
        if not block:
            raise OSError(errno.EIO, "the file became shorter while it was read")
        at += len(block)
        yield writer.compress(block)
    yield writer.flush()


@lru_cache(maxsize=16)
def _zeros(length: int) -> bytes:
    import zstandard

    writer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj(size=length)
    block = bytes(min(_BLOCK, length))
    made = [writer.compress(block[: length - at]) for at in range(0, length, _BLOCK)]
    return b"".join([*made, writer.flush()])


def _write_all(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
