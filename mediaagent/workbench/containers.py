"""Takes pictures' files apart into the pieces that their formats are made of.

Nothing is decoded here. What is cut short or makes no sense ends the iteration; it never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = [
    "MOST_PIXELS",
    "BadPicture",
    "chunks_of_png",
    "chunks_of_riff",
    "dimensions",
    "kind_of",
    "segments_of_jpeg",
]

MOST_PIXELS = 100_000_000


_BEGINNINGS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"BM", "bmp"),
    (b"P5", "ppm"),
    (b"P6", "ppm"),
)
#: Inside compressed data, FF is followed by 00 or by a restart marker; everything else ends it.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class BadPicture(Exception):
    """This picture can't be used; the message says why."""


def kind_of(data: bytes) -> str:
    """jpeg, png, gif, webp, tiff, bmp, ppm; "" for what we can't take apart."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), "")


def segments_of_jpeg(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and bytes of each segment: its marker, its length (two bytes each), its body, a scan's compressed data.

    The end marker comes last; what follows it in the file is not seen."""
    at = 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            yield marker, data[at : at + 2]
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data) or end < at + 4:
            return
        if marker == 0xDA:
            following = _NEXT_MARKER.search(data, end)
            end = following.start() if following else len(data)
        yield marker, data[at:end]
        at = end


def chunks_of_png(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each chunk up to IEND."""
    at = 8
    while at + 12 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + length > len(data):
            return
        yield name, data[at + 8 : at + 8 + length]
        if name == b"IEND":
            return
        at += 12 + length


def chunks_of_riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each chunk; `data` begins with the first of them."""
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > len(data):
            return
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header tells them; None where that can't be read without decoding."""
    kind = kind_of(data)
    if kind == "jpeg":
        frames = (segment for marker, segment in segments_of_jpeg(data) if marker in _FRAMES and len(segment) >= 9)
        frame = next(frames, b"")
        return (_big(frame[7:9]), _big(frame[5:7])) if frame else None
    if kind == "png":
        return _big(data[16:20]), _big(data[20:24])
    if kind == "gif":
        return _little(data[6:8]), _little(data[8:10])
    if kind == "bmp":
        height = int.from_bytes(data[22:26], "little", signed=True)  # below zero: written from the top
        return _little(data[18:22]), abs(height)
    if kind == "webp":
        return _webp_dimensions(data)
    return None


def _webp_dimensions(data: bytes) -> tuple[int, int] | None:
    name, body = next(chunks_of_riff(data[12:]), (b"", b""))
    if name == b"VP8X" and len(body) >= 10:
        return 1 + _little(body[4:7]), 1 + _little(body[7:10])
    if name == b"VP8L" and len(body) >= 5:
        bits = _little(body[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if name == b"VP8 " and len(body) >= 10:
        return _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
