"""Which files are looked into, told by their first bytes.

A text is one by its content, whatever it is called. Of what is no text and no format that is known to hold none, nobody
knows what it is: it is looked through all the same, but can't be written anew.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["HEAD", "Nature", "Packing", "nature_of", "packing_of"]

HEAD = 4096
Packing = Literal["", "gzip", "zstd", "bzip2", "xz"]
Nature = Literal["text", "utf-16-le", "utf-16-be", "data", "closed"]

_CLOSED_FAMILIES = ("image/", "audio/", "video/", "font/")
_CLOSED = ("application/zip", "application/x-coredump", "application/x-elf")
_PACKINGS: dict[bytes, Packing] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
}


def nature_of(head: bytes, media_type: str) -> Nature:
    """By the first 4096 bytes and the media type that those show.

    >>> nature_of(b"ID3 tests passed", "audio/mpeg"), nature_of(b"ID3\\4\\0\\0", "audio/mpeg"), nature_of(b"\\0\\1", "")
    ('text', 'closed', 'data')
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _is_wide(head):
        return "utf-16-be" if head.startswith(b"\xfe\xff") or head[:1] == b"\0" else "utf-16-le"
    strange = head.translate(None, _PRINTED)
    zeros = strange.count(0)
    if zeros * 20 <= len(head) and (len(strange) - zeros) * 100 <= len(head):
        return "text"  # with the zeros of a list of the environment, or of a crash in the middle of a line
    return "closed" if media_type.startswith(_CLOSED_FAMILIES) or media_type in _CLOSED else "data"


#: All but the control characters that no text has.
_PRINTED = bytes(byte for byte in range(256) if byte >= 32 or byte in b"\a\b\t\n\v\f\r\x1b")


def _is_wide(head: bytes) -> bool:
    """Every second byte is 0, as in UTF-16 of plain letters."""
    ours, theirs = head[: len(head) // 2 * 2 : 2], head[1::2]
    for letters, zeros in ((ours, theirs), (theirs, ours)):
        if len(head) >= 16 and zeros.count(0) > len(zeros) * 0.9 and not letters.translate(None, _PRINTED):
            return True
    return False


def packing_of(head: bytes) -> Packing:
    """How a file is packed; "" where it is not, or in a way that nothing here opens.

    >>> packing_of(b"\\x1f\\x8b\\x08\\0")
    'gzip'
    """
    return next((name for mark, name in _PACKINGS.items() if head.startswith(mark)), "")
