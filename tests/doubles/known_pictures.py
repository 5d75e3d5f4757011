"""What PHP's getimagesize and GD do to an upload."""

from __future__ import annotations

import struct


def measure(content: bytes) -> tuple[str, int, int] | None:
    """Media type, width and height from the header alone; None when it is no picture."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        return ("image/png", *struct.unpack(">II", content[16:24]))
    if content[:4] == b"GIF8" and len(content) >= 10:
        return ("image/gif", *struct.unpack("<HH", content[6:10]))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ("image/webp", 100, 100)
    if content[:2] == b"BM":
        return ("image/bmp", 100, 100)
    if content[:4] in (b"II*\0", b"MM\0*"):
        return ("image/tiff", 100, 100)
    return _measure_jpeg(content)


def _measure_jpeg(content: bytes) -> tuple[str, int, int] | None:
    if content[:3] != b"\xff\xd8\xff":
        return None
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], struct.unpack(">H", content[at + 2 : at + 4])[0]
        if marker in (0xC0, 0xC1, 0xC2):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return ("image/jpeg", width, height)
        at += 2 + length
    return None


def stored(content: bytes, media_type: str) -> bytes:
    """JPEGs are decoded and encoded again at quality 75, so their bytes never come back; other kinds are kept."""
    if media_type != "image/jpeg":
        return content
    import cv2
    import numpy

    pixels = cv2.imdecode(numpy.frombuffer(content, numpy.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        return content + b" "
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 75])[1])


def thumbnails(media_type: str, width: int, height: int) -> list[str]:
    """The sizes that are made of a picture: those smaller than it."""
    if media_type not in ("image/jpeg", "image/png"):
        return []
    sizes = {"large": 800, "medium": 400, "small": 200}
    return [name for name, pixels in sizes.items() if max(width, height) > pixels]
