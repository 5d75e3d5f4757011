"""Request bodies of known length that are read while they are sent, so that memory stays constant.

`requests` would hold twice a file given by `files=` in memory (measured: 1.9 GB for 1 GB).
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlencode

from mediaagent.api import tell_sent

__all__ = ["Body", "FilePart", "ShortFileError", "form", "multipart", "parts"]

#: Fields that may stand in a form more than once, as PHP's `name[]`.
Repeated = Sequence[tuple[str, str]]

#: Each chunk has to leave within the connection's time-out, also over a thin uplink: 64 KiB in 30 s is 2 kB/s.
CHUNK = 64 * 1024
#: While it goes fast they are larger, for curl's speed (on the loopback 64 KiB: 0.7 to 0.9 of it, 512 KiB: 1.2).
_LARGEST = 8 * CHUNK
#: Not before so many times as much has left: the system takes some megabytes at once, however thin the line is.
_PROVEN = 128
_SLOW = 1.0  # seconds for a chunk


class ShortFileError(Exception):
    """A file ended before the length that was announced. No OSError, which would be taken for the network's."""


class Body:
    """What is sent: bytes and files in turn. Can be sent once."""

    def __init__(self, media_type: str, *pieces: bytes | IO[bytes]) -> None:
        self.media_type = media_type
        self.started = False  # once true, the far side may have got it
        self.finished = False  # all of it has left
        self._pieces = [(piece, _size(piece)) for piece in _joined(pieces)]

    def __len__(self) -> int:
        return sum(size for _, size in self._pieces)

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        sent, of = 0, len(self)
        held = b""  # what is small goes with what follows: each chunk is a call of its own, here and on the far side
        for piece, size in self._pieces:
            for chunk in [piece] if isinstance(piece, bytes) else _chunks(piece, size):
                held += chunk
                if len(held) >= CHUNK:
                    yield held
                    sent += len(held)
                    held = b""
                    tell_sent(sent, of)
        if held:
            yield held
            tell_sent(of, of)
        self.finished = True

    def close(self) -> None:
        """Closes its files."""
        for piece, _ in self._pieces:
            if not isinstance(piece, bytes):
                piece.close()


def _joined(pieces: Sequence[bytes | IO[bytes]]) -> Iterator[bytes | IO[bytes]]:
    """Bytes that follow each other as one piece: each is sent with a call of its own."""
    for small, run in itertools.groupby(pieces, lambda piece: isinstance(piece, bytes)):
        if small:
            yield b"".join(run)  # type: ignore[arg-type]
        else:
            yield from run


def _size(piece: bytes | IO[bytes]) -> int:
    return len(piece) if isinstance(piece, bytes) else os.fstat(piece.fileno()).st_size


def _chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    left, wanted = size, CHUNK
    while left:
        chunk = _read(file, min(wanted, left), left)
        left -= len(chunk)
        begun = time.monotonic()
        yield chunk
        if time.monotonic() - begun > _SLOW:
            wanted = CHUNK
        elif size - left >= _PROVEN * wanted:
            wanted = min(2 * wanted, _LARGEST)


def _read(file: IO[bytes], wanted: int, left: int) -> bytes:
    try:
        chunk = file.read(wanted)
    except OSError as error:
        raise ShortFileError(f"{file.name} can't be read: {error.strerror}") from error
    if not chunk:
        raise ShortFileError(f"{file.name} ends {left} bytes too early")
    return chunk


def form(fields: Mapping[str, str], repeated: Repeated = ()) -> Body:
    """Fields without a file."""
    return Body("application/x-www-form-urlencoded", urlencode([*fields.items(), *repeated]).encode("ascii"))


class FilePart(NamedTuple):
    """One file of a form. No source: an empty part. An open file is closed after it was sent."""

    field: str
    name: str
    media_type: str
    source: Path | IO[bytes] | None


def multipart(
    fields: Mapping[str, str],
    file_field: str,
    name: str,
    media_type: str,
    source: Path | IO[bytes] | None,
    repeated: Repeated = (),
) -> Body:
    """Fields and one file. Raises OSError when a path can't be opened."""
    return parts([*fields.items(), *repeated], [FilePart(file_field, name, media_type, source)])


def parts(fields: Repeated, files: Sequence[FilePart]) -> Body:
    """Fields and files (RFC 7578), names in raw UTF-8, as PHP reads them. Raises OSError for what can't be opened."""
    boundary = os.urandom(16).hex()
    pieces: list[bytes | IO[bytes]] = []
    for field, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        pieces.append(head.encode())
    for file in files:
        named = f'name="{file.field}"; filename="{_quoted(file.name)}"'
        head = f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\nContent-Type: {file.media_type}\r\n\r\n"
        pieces.append(head.encode())
        if file.source is not None:
            pieces.append(file.source.open("rb") if isinstance(file.source, Path) else file.source)
        pieces.append(b"\r\n")
    return Body(f"multipart/form-data; boundary={boundary}", *pieces, f"--{boundary}--\r\n".encode())


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
