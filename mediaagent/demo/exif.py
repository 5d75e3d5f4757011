"""The EXIF segment that Motion writes into each picture: when, and where something moved (Exif 2.2, JEITA CP-3451)."""

from __future__ import annotations

import struct
from datetime import datetime

__all__ = ["with_exif"]

_ASCII, _SHORT, _LONG, _UNDEFINED, _SIGNED_SHORT = 2, 3, 4, 7, 8


def with_exif(jpeg: bytes, moment: datetime, moved: tuple[int, int, int, int]) -> bytes:
    """A JPEG with ModifyDate, TimeZoneOffset, DateTimeOriginal and SubjectArea (x and y of the middle, width, height).

    The segment goes behind the JFIF header, as Motion has it.
    """
    date = moment.strftime("%Y:%m:%d %H:%M:%S").encode() + b"\0"
    offset = moment.utcoffset()
    hours = int(offset.total_seconds() // 3600) if offset else 0
    first, second = 8, 8 + 2 + 3 * 12 + 4
    data = second + 2 + 3 * 12 + 4  # behind both directories: the two dates and the area
    tiff = b"MM" + struct.pack(">HI", 42, first)
    tiff += _directory(
        _entry(0x0132, _ASCII, 20, struct.pack(">I", data)),
        _entry(0x8769, _LONG, 1, struct.pack(">I", second)),
        _entry(0x882A, _SIGNED_SHORT, 1, struct.pack(">hH", hours, 0)),
    )
    tiff += _directory(
        _entry(0x9000, _UNDEFINED, 4, b"0220"),
        _entry(0x9003, _ASCII, 20, struct.pack(">I", data + 20)),
        _entry(0x9214, _SHORT, 4, struct.pack(">I", data + 40)),
    )
    tiff += date + date + struct.pack(">4H", *moved)
    body = b"Exif\0\0" + tiff
    behind = 4 + int.from_bytes(jpeg[4:6], "big")  # SOI, APP0's marker, and as much as it says
    return jpeg[:behind] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[behind:]


def _directory(*entries: bytes) -> bytes:
    return struct.pack(">H", len(entries)) + b"".join(entries) + struct.pack(">I", 0)


def _entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(">HHI", tag, kind, count) + value
