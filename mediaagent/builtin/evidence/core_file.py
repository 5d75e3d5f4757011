"""A core dump as a stream, plain or packed by zstd, from which nothing is read at a size that the dump itself says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

__all__ = ["ZSTD", "DumpStream", "NotReadable", "opened", "unpacked"]

ZSTD = b"\x28\xb5\x2f\xfd"
_LARGEST_READ = 16 << 20  # bytes: the kernel's own limit of its longest note (core_file_note_size_max)
_FARTHEST = 1 << 30  # bytes into a packed dump: what lies behind would have to be unpacked to be found
_LARGEST_WINDOW = 8 << 20  # bytes that a decoder has to support at least (RFC 8878, 3.1.1.1.2)
_BLOCK = 1 << 18


class NotReadable(Exception):
    """Nothing can be told of this file; the message says why."""


class DumpStream(Protocol):
    """What is asked of an open dump."""

    size: int | None  # of the dump; None: packed, and its end was not met yet

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def read(self, size: int, /) -> bytes: ...


@contextmanager
def opened(path: Path) -> Iterator[DumpStream]:
    """The dump, unpacked while it is read. Raises NotReadable."""
    try:
        with open(path, "rb") as file:
            if file.read(4) != ZSTD:
                yield _Plain(file)
                return
            import zstandard

            try:
                yield _Packed(file)
            except zstandard.ZstdError as error:
                raise NotReadable(f"its zstd packing is damaged: {error}") from None
    except OSError as error:
        raise NotReadable(f"it can't be read: {error.strerror}") from None


def unpacked(path: Path, target: Path, limit: int) -> None:
    """Writes the dump in a .zst to `target`, holes left out. Raises NotReadable, also when it has more than `limit`
    bytes."""
    import zstandard

    with open(path, "rb") as file, open(target, "wb") as plain:
        size = 0
        try:
            for block in _decompressor().read_to_iter(file, write_size=_BLOCK):
                size += len(block)
                if size > limit:
                    raise NotReadable(f"unpacked it has more than {limit} bytes")
                if block.count(0) == len(block):
                    plain.seek(len(block), io.SEEK_CUR)
                else:
                    plain.write(block)
        except zstandard.ZstdError as error:
            raise NotReadable(f"its zstd packing is damaged: {error}") from None
        plain.truncate(size)


def _decompressor() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)


class _Plain:
    """As it lies on disk."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size: int | None = file.seek(0, io.SEEK_END)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int, /) -> bytes:
        return self._file.read(_sane(size))


class _Packed:
    """Unpacked on the way, and again from the start to go back: ask for things in the order in which they lie."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size: int | None = None
        self._wanted = 0
        self._again()

    def _again(self) -> None:
        self._file.seek(0)
        self._at, self._stream = 0, _decompressor().stream_reader(self._file, closefd=False)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._wanted = _FARTHEST if whence == io.SEEK_END else offset
        return self._wanted

    def tell(self) -> int:
        return self._wanted

    def read(self, size: int, /) -> bytes:
        _sane(size)
        if self._wanted < self._at:
            self._again()
        while self._at < self._wanted <= _FARTHEST:
            if not self._take(min(self._wanted - self._at, _BLOCK)):
                return b""
        data = bytearray()
        while self._at == self._wanted + len(data) and len(data) < size and (more := self._take(size - len(data))):
            data += more
        self._wanted += len(data)
        return bytes(data)

    def _take(self, size: int) -> bytes:
        data = bytes(self._stream.read(size))
        self._at += len(data)
        if not data:
            self.size = self._at
        return data


def _sane(size: int) -> int:
    """Raises NotReadable for what no dump has: lengths in damaged ones lie."""
    if not 0 <= size <= _LARGEST_READ:
        raise NotReadable(f"it is damaged: it claims a piece of {size} bytes")
    return size
