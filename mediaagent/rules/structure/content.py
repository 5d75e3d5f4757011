"""A file's bytes, to be looked at here and there."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

__all__ = ["STILL", "Content", "Proof"]

#: How every sentence about a file that ends too early goes on.
STILL = "cut or still being written"


class Content(msgspec.Struct, frozen=True):
    """`read(offset, length)` may return less than `length` at the end of the file (os.pread does)."""

    size: int
    read: Callable[[int, int], bytes]
    name: str = ""

    def at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; nothing at all from outside the file."""
        if offset < 0 or offset >= self.size or length <= 0:
            return b""
        return self.read(offset, min(length, self.size - offset))

    def tail(self, length: int) -> bytes:
        """The last `length` bytes, or all when there are fewer."""
        return self.at(max(0, self.size - length), length)

    def number(self, offset: int, length: int, order: str = "big") -> int:
        """An unsigned number; -1 when the file ends before it does."""
        data = self.at(offset, length)
        return int.from_bytes(data, "little" if order == "little" else "big") if len(data) == length else -1


Proof = Callable[[Content], str]
