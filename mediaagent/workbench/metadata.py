"""Takes metadata out of pictures without touching a pixel.

What stays is a list of what a picture needs to look right (pixels, palettes, colour profiles, animation); all else
goes: EXIF with its GPS and thumbnail, XMP, IPTC, comments, makers' blocks, pieces nobody knows, and what hangs on
behind the end (films in "motion photos", second pictures). A list of what to remove would miss tomorrow's.
"""

from __future__ import annotations

import zlib

from mediaagent.workbench.containers import chunks_of_png, chunks_of_riff, kind_of, segments_of_jpeg

__all__ = ["colour_profile", "with_colour_profile", "without_metadata"]

_PROFILE = b"ICC_PROFILE\0"
#: Frames, tables and scans (ITU T.81, table B.1).
_JPEG_KEPT = frozenset([*range(0xC0, 0xC8), *range(0xC9, 0xD0), *range(0xDA, 0xE0)])
_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP sBIT bKGD hIST sPLT pHYs acTL fcTL fdAT".split()
)
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_FLAGS_KEPT = 0b0011_0010  # of VP8X: profile, alpha, animation; not EXIF (8), not XMP (4)
_GIF_LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")


def without_metadata(data: bytes) -> bytes | None:
    """The same picture with nothing but what it needs; None for a format that has to be written anew instead.

    `data` must have been decoded before: what is cut short comes out shorter still."""
    remove = {"jpeg": _jpeg, "png": _png, "webp": _webp, "gif": _gif}.get(kind_of(data))
    return remove(data) if remove else None


def _jpeg(data: bytes) -> bytes:
    kept = [_jpeg_segment(marker, segment) for marker, segment in segments_of_jpeg(data) if marker != 0xD9]
    return b"".join([b"\xff\xd8", *kept, b"\xff\xd9"])


def _jpeg_segment(marker: int, segment: bytes) -> bytes:
    """What stays of a segment."""
    if marker == 0xE0 and segment[4:9] == b"JFIF\0" and len(segment) >= 18:
        return b"\xff\xe0\0\x10" + segment[4:16] + b"\0\0"  # without its thumbnail
    if marker == 0xE2 and segment[4:].startswith(_PROFILE):
        return segment
    if marker == 0xEE and segment[4:9] == b"Adobe":
        return segment  # tells how the colours are coded
    return segment if marker in _JPEG_KEPT else b""


def _png(data: bytes) -> bytes:
    kept = [data[:8]]
    for name, body in chunks_of_png(data):
        if name in _PNG_KEPT:
            kept.append(len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big"))
    return b"".join(kept)


def _webp(data: bytes) -> bytes:
    body = b"WEBP" + _webp_chunks(data[12:])
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _webp_chunks(data: bytes) -> bytes:
    kept = []
    for name, body in chunks_of_riff(data):
        if name not in _WEBP_KEPT:
            continue
        if name == b"VP8X":
            body = bytes([body[0] & _WEBP_FLAGS_KEPT]) + body[1:]
        elif name == b"ANMF":
            body = body[:16] + _webp_chunks(body[16:])
        kept.append(name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) & 1))
    return b"".join(kept)


def _gif(data: bytes) -> bytes:
    at = 13 + _colours(data[10])
    kept, control = [data[:at]], b""
    while at < len(data) and data[at] != 0x3B:
        start = at
        picture = data[at] == 0x2C
        at += 11 + _colours(data[at + 9]) if picture else 2
        blocks = at
        while data[at]:
            at += 1 + data[at]
        at += 1
        if picture:
            kept += [control, data[start:at]]
        elif data[start + 1] == 0xFF and data.startswith(_GIF_LOOPS, blocks):
            kept.append(data[start:at])
        # how long the next picture is shown; dropped with what it belongs to when that is text
        control = data[start:at] if not picture and data[start + 1] == 0xF9 else b""
    return b"".join([*kept, b";"])


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def colour_profile(data: bytes) -> bytes:
    """The segments of a JPEG's RGB colour profile, so that a picture written anew keeps its colours; else b""."""
    if kind_of(data) != "jpeg":
        return b""
    found = [part for marker, part in segments_of_jpeg(data) if marker == 0xE2 and part[4:].startswith(_PROFILE)]
    return b"".join(found) if found and found[0][34:38] == b"RGB " else b""  # 4 + 14 before the profile, 16 in it


def with_colour_profile(jpeg: bytes, segments: bytes) -> bytes:
    """A JPEG with a profile's segments put in front."""
    return jpeg[:2] + segments + jpeg[2:]
