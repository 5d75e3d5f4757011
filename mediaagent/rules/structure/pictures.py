"""Proofs for pictures: JPEG, PNG, GIF, WebP, BMP, TIFF, PPM."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Literal

from mediaagent.rules.structure.content import STILL, Content

__all__ = ["bmp", "gif", "jpeg", "png", "ppm", "tiff"]

_PADDING = b"\0 \t\r\n"
_BLANK_TAIL = 4096  # bytes of padding after a JPEG's or GIF's end that are put up with
_MANY = 4096  # chunks or segments that are followed one by one
_GIF_WALK = 32 << 20
_JPEG_WALK = 256 << 20
_CHUNK = 1 << 16
#: In compressed data FF is followed by 00 (stuffed), D0 to D7 (restart) or FF (a fill byte); everything else begins a
#: segment or ends.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_MOST_SEGMENTS = 65_536  # behind the first scan; the most scans that a progressive picture needs are a few dozen


def jpeg(file: Content) -> str:
    """Segments up to the first scan, and the end marker at the end (ITU T.81, annex B).

    A thumbnail's end marker lies inside a segment, and compressed data never holds FFD9, so a prefix can't pass. What
    is padded with blanks, or carries other data after its end marker (a phone's motion photo), passes from that
    marker on; only for the latter the compressed data is read through.
    """
    scan = _first_scan(file)
    if isinstance(scan, str):
        return scan
    end = file.tail(_BLANK_TAIL).rstrip(_PADDING)
    if (end.endswith(b"\xff\xd9") and file.size >= scan + 2) or _ends_inside(file, scan):
        return ""
    return f"the JPEG has no end marker: {file.size} bytes, {STILL}"


def _ends_inside(file: Content, offset: int) -> bool:
    """The end marker stands somewhere behind the first scan, outside of any segment. Reads each byte once."""
    last, segments = min(file.size, offset + _JPEG_WALK), 0
    while offset < last and segments < _MOST_SEGMENTS:
        chunk, at = file.at(offset, _CHUNK), 0
        if len(chunk) < 2:
            return False
        while found := _MARKER.search(chunk, at):
            if chunk[found.start() + 1] == 0xD9:
                return True
            length = chunk[found.end() : found.end() + 2]
            if len(length) < 2:
                length = file.at(offset + found.end(), 2)
            at = found.end() + max(int.from_bytes(length, "big"), 2)
            segments += 1
            if segments >= _MOST_SEGMENTS:
                return False
        offset += max(at, len(chunk) - 1)  # a marker may lie across the chunk's end
    return False


def _first_scan(file: Content) -> int | str:
    offset, framed = 2, False
    for _ in range(_MANY):
        head = file.at(offset, 4)
        if len(head) < 4:
            return f"the JPEG ends in its header: {file.size} bytes, {STILL}"
        if head[0] != 0xFF:
            return f"the JPEG is damaged: no marker at byte {offset}"
        marker = head[1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            offset += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            return f"the JPEG ends without a picture at byte {offset}"
        framed = framed or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC))
        offset += 2 + int.from_bytes(head[2:], "big")
        if marker == 0xDA:
            return offset if framed else "the JPEG has a scan but no frame header"
    return f"the JPEG is damaged: more than {_MANY} segments before the picture"


def png(file: Content) -> str:
    """Chunks up to IEND (PNG specification, section 5). What comes after IEND is not looked at."""
    offset, data = 8, False
    for _ in range(_MANY):
        head = file.at(offset, 8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or offset + 12 + length > file.size:
            return f"the PNG has no end: {file.size} bytes, {STILL}"
        if head[4:] == b"IEND":
            return "" if data else "the PNG holds no picture"
        data = data or head[4:] == b"IDAT"
        offset += 12 + length
    whole = file.tail(12) == b"\0\0\0\0IEND\xaeB`\x82"
    return "" if whole else f"the PNG has no end: {file.size} bytes, {STILL}"


def gif(file: Content) -> str:
    """Blocks up to the trailer (GIF89a, appendix B).

    Blocks are at most 256 bytes, so this reads the file through; above 32 MB only its last two bytes count.
    """
    if file.size > _GIF_WALK:
        whole = file.tail(_BLANK_TAIL).rstrip(b"\0").endswith(b";")
        return "" if whole else f"the GIF has no trailer: {file.size} bytes, {STILL}"
    data = file.at(0, file.size)
    try:
        return _gif_blocks(data)
    except IndexError:
        return f"the GIF has no trailer: {file.size} bytes, {STILL}"


def _gif_blocks(data: bytes) -> str:
    offset, pictures = 13 + _colours(data[10]), 0
    while (kind := data[offset]) != 0x3B:
        if kind == 0x2C:
            pictures += 1
            offset += 11 + _colours(data[offset + 9])
        elif kind == 0x21:
            offset += 2
        else:
            return f"the GIF is damaged at byte {offset}"
        while length := data[offset]:
            offset += 1 + length
        offset += 1
    return "" if pictures else "the GIF holds no picture"


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def bmp(file: Content) -> str:
    """The length that the header tells (writers that leave it 0 are believed once quiet)."""
    told = file.number(2, 4, "little")
    if file.size < 26 or told > file.size:
        return f"the BMP holds {file.size} of {max(told, 26)} bytes, {STILL}"
    return ""


def ppm(file: Content) -> str:
    """Width x height x depth against the size (Netpbm's ppm(5), pgm(5)); the first picture of the file."""
    head = re.sub(rb"#[^\n]*", b"", file.at(0, 1024))
    match = re.match(rb"P([56])\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,5})\s", head)
    if not match:
        return f"the PPM ends in its header: {file.size} bytes, {STILL}"
    colours, deep = (3 if match[1] == b"6" else 1), (2 if int(match[4]) > 255 else 1)
    wanted = match.end() + int(match[2]) * int(match[3]) * colours * deep
    return "" if file.size >= wanted else f"the PPM holds {file.size} of {wanted} bytes, {STILL}"


# --- TIFF -------------------------------------------------------------------------------------------------------------

_WIDTHS = {1: 1, 3: 2, 4: 4}  # BYTE, SHORT, LONG: the types that lengths and offsets have
_STARTS_AND_LENGTHS = ((273, 279), (324, 325))  # of strips, of tiles


def tiff(file: Content) -> str:
    """Every directory, strip and tile lies inside the file (TIFF 6.0, section 2)."""
    order = "little" if file.at(0, 2) == b"II" else "big"
    missing = f"the TIFF points behind its end: {file.size} bytes, {STILL}"
    offset, seen = file.number(4, 4, order), set[int]()
    for _ in range(64):
        if offset in seen:
            return "the TIFF is damaged: its directories go round in a circle"
        seen.add(offset)
        count = file.number(offset, 2, order)
        if count > _MANY:
            return f"the TIFF is damaged: a directory of more than {_MANY} entries"
        table = file.at(offset + 2, max(count, 0) * 12 + 4)
        if offset < 8 or count < 1 or len(table) < count * 12 + 4:
            return missing
        if any(end > file.size for end in _tiff_ends(file, table, order)):
            return missing
        offset = int.from_bytes(table[-4:], "little" if order == "little" else "big")
        if offset == 0:
            return ""
    return ""


def _tiff_ends(file: Content, table: bytes, order: str) -> Iterator[int]:
    arrays: dict[int, list[int]] = {}
    for start in range(0, len(table) - 4, 12):
        tag, kind, count = struct.unpack_from(("<" if order == "little" else ">") + "HHI", table, start)
        if kind in _WIDTHS and tag not in arrays and any(tag in pair for pair in _STARTS_AND_LENGTHS):
            arrays[tag] = _tiff_array(file, table[start + 8 : start + 12], _WIDTHS[kind], min(count, 65_536), order)
    for starts, lengths in _STARTS_AND_LENGTHS:
        yield from (a + b for a, b in zip(arrays.get(starts, ()), arrays.get(lengths, ()), strict=False))


def _tiff_array(file: Content, value: bytes, width: int, count: int, order: str) -> list[int]:
    """The numbers of one entry: inside it when they take 4 bytes or less, else where it points to."""
    step: Literal["little", "big"] = "little" if order == "little" else "big"
    data = value if width * count <= 4 else file.at(int.from_bytes(value, step), width * count)
    if len(data) < width * count:
        return [file.size + 1] * 2  # the array itself lies behind the end
    return [int.from_bytes(data[i : i + width], step) for i in range(0, width * count, width)]
