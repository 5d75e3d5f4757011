"""Request bodies of known length that are read while they are sent, so that memory stays constant.

`requests` would hold twice a file given by `files=` in memory (measured: 1.9 GB for 1 GB).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

__all__ = ["Body", "ShortFileError", "form", "multipart"]

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
    """What is sent: bytes, then perhaps a file, then bytes. Can be sent once."""

    def __init__(self, media_type: str, head: bytes, file: IO[bytes] | None = None, tail: bytes = b"") -> None:
        self.media_type = media_type
        self.started = False  # once true, the far side may have got it
        self.finished = False  # all of it has left
        self._head, self._file, self._tail = head, file, tail
        self._size = os.fstat(file.fileno()).st_size if file else 0

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        yield self._head
        yield from self._chunks()
        if self._tail:
            yield self._tail
        self.finished = True

    def _chunks(self) -> Iterator[bytes]:
        left, wanted = self._size, CHUNK
        while left and self._file:
            chunk = self._read(min(wanted, left), left)
            left -= len(chunk)
            begun = time.monotonic()
            yield chunk
            if time.monotonic() - begun > _SLOW:
                wanted = CHUNK
            elif self._size - left >= _PROVEN * wanted:
                wanted = min(2 * wanted, _LARGEST)

    def _read(self, wanted: int, left: int) -> bytes:
        assert self._file
        try:
            chunk = self._file.read(wanted)
        except OSError as error:
            raise ShortFileError(f"{self._file.name} can't be read: {error.strerror}") from error
        if not chunk:
            raise ShortFileError(f"{self._file.name} ends {left} bytes too early")
        return chunk

    def close(self) -> None:
        """Closes the file."""
        if self._file:
            self._file.close()


def form(fields: Mapping[str, str]) -> Body:
    """Fields without a file."""
    return Body("application/x-www-form-urlencoded", urlencode(fields).encode("ascii"))


def multipart(
    fields: Mapping[str, str], file_field: str, name: str, media_type: str, source: Path | IO[bytes] | None
) -> Body:
    """Fields and one file (RFC 7578), its name in raw UTF-8, as PHP reads it.

    No `source`: an empty part without a name. An open file is closed after it was sent.
    Raises OSError when a path can't be opened.
    """
    boundary = secrets.token_hex(16)
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    )
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="{file_field}"; filename="{quoted}"\r\n'
    head += f"Content-Type: {media_type}\r\n\r\n"
    file = source.open("rb") if isinstance(source, Path) else source
    return Body(f"multipart/form-data; boundary={boundary}", head.encode(), file, f"\r\n--{boundary}--\r\n".encode())
