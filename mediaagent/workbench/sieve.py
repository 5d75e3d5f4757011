"""The child's side of the secret gate: reads a part from beginning to end, and writes it without its secrets.

Nothing is written before the first secret is found; what stands before it is copied then. What is packed is unpacked as
it is read, up to a limit, and once: a packed file within a packed file is closed, as is an archive.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard

from mediaagent.rules import secrets
from mediaagent.rules.completeness import media_type_of
from mediaagent.rules.secrets.content import HEAD, Nature, nature_of, packing_of
from mediaagent.rules.secrets.reports import Report, is_report
from mediaagent.rules.secrets.stream import Redactor
from mediaagent.workbench import wire

__all__ = ["MOST_UNPACKED", "pack", "sift"]

#: A packed file that holds more than this is not looked through.
MOST_UNPACKED = 1 << 30
_MOST_ZEROS = 64 << 30  # with those that are left out
_PIECE = 256 << 10
_LARGEST_WINDOW = 128 << 20  # of zstd: what `zstd --long` writes by default
_LEVEL = 3


class _Filter(Protocol):
    def feed(self, data: bytes) -> bytes: ...
    def end(self) -> bytes: ...


def sift(request: wire.Sift) -> wire.Sifted:
    """Reads the part. Raises ValueError where it can't be looked through, or OSError."""
    with open(request.part.file, "rb") as file:
        packing = packing_of(file.peek(8)[:8])
        stream = _unpacked(file, packing)
        head = _read(stream, HEAD, packing)
        nature = nature_of(head, media_type_of(head, "" if packing else request.part.name))
        if packing and packing_of(head):
            nature = "closed"
        if nature == "closed":
            unpacked = bool(packing) and request.unpack and not packing_of(head)
            if unpacked:
                _lay_out(request.target, stream, head, packing)
            return wire.Sifted({}, "closed", packing, written=unpacked)
        found, written = _sifted(request, stream, head, nature, packing)
    return wire.Sifted(dict(found), "data" if nature == "data" else "text", packing, written=written)


def pack(request: wire.Pack) -> wire.Packed:
    """Packs a file again, once nothing secret is left in it."""
    with open(request.file, "rb") as source, _new(request.target) as target:
        if request.packing == "zstd":
            zstandard.ZstdCompressor(level=_LEVEL).copy_stream(source, target, size=os.fstat(source.fileno()).st_size)
        else:
            with gzip.GzipFile(fileobj=target, mode="wb", filename="", mtime=0) as packed:
                shutil.copyfileobj(source, packed, _PIECE)
        _flush(target)
    return wire.Packed()


# --- reading ----------------------------------------------------------------------------------------------------------


def _unpacked(file: Any, packing: str) -> Any:
    if packing == "gzip":
        return gzip.GzipFile(fileobj=file)
    if packing == "zstd":
        reader = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        return reader.stream_reader(file, read_across_frames=True, closefd=False)
    if packing == "bzip2":
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if packing == "xz" else file


def _read(stream: Any, size: int, packing: str) -> bytes:
    """Exactly so many bytes, unless it ends. A packed file that is cut has what comes out of it."""
    data = b""
    try:
        while len(data) < size and (more := stream.read1(size - len(data))):
            data += more
    except EOFError:
        return data
    except (gzip.BadGzipFile, zstandard.ZstdError, lzma.LZMAError, OSError) as error:
        if not packing:
            raise
        raise ValueError(f"it can't be unpacked ({packing}: {error})") from None
    return data


def _pieces(stream: Any, head: bytes, packing: str) -> Iterator[bytes]:
    piece, total = head, 0
    while piece:
        yield piece
        total += len(piece)
        if packing and total > MOST_UNPACKED:
            raise ValueError(f"unpacked it has more than {MOST_UNPACKED >> 20} MB")
        piece = _read(stream, _PIECE, packing)


def _lay_out(target: Path, stream: Any, head: bytes, packing: str) -> None:
    """Writes what is packed so that the parent finds its own secrets in it; without long runs of zeros, of which a core
    dump is made for the most part."""
    total, zeros = 0, memoryview(bytes(_PIECE))
    with _new(target) as out:
        piece = head
        while piece:
            total += len(piece)
            if piece != zeros[: len(piece)]:
                out.write(piece)
            if out.tell() > MOST_UNPACKED or total > _MOST_ZEROS:
                raise ValueError(f"unpacked it has more than {MOST_UNPACKED >> 20} MB")
            piece = _read(stream, _PIECE, packing)


# --- through the filters ----------------------------------------------------------------------------------------------


def _sifted(request: wire.Sift, stream: Any, head: bytes, nature: Nature, packing: str) -> tuple[Counter[str], bool]:
    redactor, report = Redactor(), Report() if is_report(_narrow(head, nature)) else None
    filters: list[_Filter] = [report, redactor] if report else [redactor]
    if nature.startswith("utf-16"):
        filters = [_Narrowed(nature), *filters, _Widened(nature)]
    in_any_case = bool(packing) and request.unpack
    with _Lazily(request.target, nature != "data" or in_any_case) as out:
        for piece in _pieces(stream, head, packing):
            passed = _through(filters, piece)
            if not out.is_open and (in_any_case or redactor.found or (report and report.left_out)):
                out.open(lambda until: _again(request.part.file, packing, until))
            out.write(passed)
        tail = _through(filters, None)
        if not out.is_open and (redactor.found or (report and report.left_out)):
            out.open(lambda until: _again(request.part.file, packing, until))
        out.write(tail)
    found = Counter(redactor.found)
    if report and report.left_out:
        found[secrets.PROPERTIES] = report.left_out
    return found, out.is_open


def _through(filters: list[_Filter], piece: bytes | None) -> bytes:
    """What comes out when a piece is fed in; None: all that is left in any of them."""
    if piece is not None:
        for each in filters:
            piece = each.feed(piece)
        return piece
    passed = b""
    for each in filters:
        passed = each.feed(passed) + each.end()
    return passed


def _again(file: Path, packing: str, until: int) -> Iterator[bytes]:
    """The beginning of the part once more."""
    with open(file, "rb") as source:
        stream = _unpacked(source, packing)
        while until > 0 and (piece := _read(stream, min(_PIECE, until), packing)):
            yield piece
            until -= len(piece)


class _Lazily:
    """A file that is written from when it is opened; what went by before is copied then."""

    def __init__(self, target: Path, allowed: bool) -> None:
        self._target, self._allowed = target, allowed
        self._passed = 0
        self._file: IO[bytes] | None = None

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def open(self, beginning: Callable[[int], Iterator[bytes]]) -> None:
        if self._allowed:
            self._file = _new(self._target)
            for piece in beginning(self._passed):
                self._file.write(piece)

    def write(self, data: bytes) -> None:
        self._passed += len(data)
        if self._file:
            self._file.write(data)

    def __enter__(self) -> _Lazily:
        return self

    def __exit__(self, *trouble: object) -> None:
        if self._file:
            with self._file:
                _flush(self._file)


def _new(target: Path) -> IO[bytes]:
    target.unlink(missing_ok=True)  # what a child left that died over it
    return open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


# --- UTF-16 -----------------------------------------------------------------------------------------------------------


def _narrow(head: bytes, nature: Nature) -> bytes:
    return head.decode(nature, "replace").lstrip("\ufeff").encode("utf-8", "replace") if "16" in nature else head


class _Narrowed:
    """UTF-16 to UTF-8, in which secrets are looked for."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def feed(self, data: bytes) -> bytes:
        return self._decoder.decode(data).encode("utf-8", "surrogatepass")

    def end(self) -> bytes:
        return self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


class _Widened:
    """And back."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> bytes:
        return self._decoder.decode(data).encode(self._encoding, "surrogatepass")

    def end(self) -> bytes:
        return self._decoder.decode(b"", final=True).encode(self._encoding, "surrogatepass")
