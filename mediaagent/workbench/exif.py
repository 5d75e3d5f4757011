"""Reads the few facts of a picture's EXIF that count here, and nothing else of it.

EXIF is a TIFF directory inside the picture (CIPA DC-008, "Exif 2.32"). Every offset and count in it comes from a
stranger, so each read is checked against the block's bounds, and no directory is read twice.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from mediaagent.workbench.containers import chunks_of_png, chunks_of_riff, dimensions, kind_of, segments_of_jpeg

__all__ = ["Exif", "exif_of", "told"]

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 8: 2, 9: 4}  # BYTE ASCII SHORT LONG UNDEFINED SSHORT SLONG
_ORIENTATION, _CHANGED_AT, _SUB_DIRECTORY = 0x0112, 0x0132, 0x8769
_TAKEN_AT, _TAKEN_OFFSET, _SUBJECT_AREA = 0x9003, 0x9011, 0x9214
_MOST_ENTRIES = 512
_LONGEST_VALUE = 256


class Exif(msgspec.Struct, frozen=True):
    """What a picture says of itself."""

    orientation: int = 1  # 1 to 8, see the EXIF standard; 1 is upright
    taken_at: str = ""  # ISO 8601 in the camera's local time; with an offset only when the camera tells one
    motion_box: tuple[int, int, int, int] | None = None  # left, top, width, height in pixels


def exif_of(data: bytes) -> Exif:
    """The facts in a picture; the defaults where it tells nothing (or nonsense)."""
    block = _block(data).removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return Exif()
    tags = dict(_entries(block, order, struct.unpack_from(order + "I", block, 4)[0]))
    if _SUB_DIRECTORY in tags:
        tags |= dict(_entries(block, order, _numbers(tags[_SUB_DIRECTORY], order)[0]))
    return Exif(_orientation(tags, order), _taken_at(tags), _motion_box(tags, order))


def told(data: bytes) -> dict[str, Any]:
    """What a picture's header tells, as facts: orientation; width, height, taken_at and motion_box where it has them.

    motion_box is [left, top, width, height]."""
    exif, size = exif_of(data), dimensions(data)
    facts: dict[str, Any] = {"orientation": exif.orientation}
    if size:
        facts |= {"width": size[0], "height": size[1]}
    if exif.taken_at:
        facts["taken_at"] = exif.taken_at
    if exif.motion_box:
        facts["motion_box"] = list(exif.motion_box)
    return facts


def _block(data: bytes) -> bytes:
    kind = kind_of(data)
    if kind == "jpeg":
        found = (body[4:] for marker, body in segments_of_jpeg(data) if marker == 0xE1 and body[4:10] == b"Exif\0\0")
    elif kind == "png":
        found = (body for name, body in chunks_of_png(data) if name == b"eXIf")
    elif kind == "webp":
        found = (body for name, body in chunks_of_riff(data[12:]) if name == b"EXIF")
    else:
        return data if kind == "tiff" else b""
    return next(found, b"")


Value = tuple[int, bytes]  # type, bytes


def _entries(block: bytes, order: str, offset: int) -> Iterator[tuple[int, Value]]:
    if not 8 <= offset <= len(block) - 2:
        return
    count = min(struct.unpack_from(order + "H", block, offset)[0], _MOST_ENTRIES)
    for start in range(offset + 2, min(offset + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, number = struct.unpack_from(order + "HHI", block, start)
        length = _WIDTHS.get(kind, 0) * number
        if not 0 < length <= _LONGEST_VALUE:
            continue
        at = start + 8 if length <= 4 else struct.unpack_from(order + "I", block, start + 8)[0]
        if at + length <= len(block):
            yield tag, (kind, block[at : at + length])


def _numbers(value: Value, order: str) -> list[int]:
    kind, data = value
    form = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i"}.get(kind)
    if form is None:
        return [0]
    return list(struct.unpack(f"{order}{len(data) // _WIDTHS[kind]}{form}", data))


def _orientation(tags: dict[int, Value], order: str) -> int:
    found = _numbers(tags[_ORIENTATION], order)[0] if _ORIENTATION in tags else 1
    return found if 1 <= found <= 8 else 1


def _text(tags: dict[int, Value], tag: int) -> str:
    kind, data = tags.get(tag, (0, b""))
    return data.split(b"\0")[0].decode("ascii", "replace").strip() if kind == 2 else ""


def _taken_at(tags: dict[int, Value]) -> str:
    """Motion's own TimeZoneOffset (whole hours) is left out: it is wrong where zones differ by half an hour."""
    told = _text(tags, _TAKEN_AT) or _text(tags, _CHANGED_AT)
    try:
        taken = datetime.strptime(told, "%Y:%m:%d %H:%M:%S").isoformat()  # noqa: DTZ007  (the camera's local time)
    except ValueError:
        return ""
    offset = _text(tags, _TAKEN_OFFSET)
    return taken + offset if re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d", offset) else taken


def _motion_box(tags: dict[int, Value], order: str) -> tuple[int, int, int, int] | None:
    """SubjectArea as a rectangle: the standard gives its *centre*, width and height, and so does Motion 4.5.1.

    Motion writes 0 0 0 0 into pictures in which nothing moved (snapshots, the ones before the motion)."""
    area = _numbers(tags[_SUBJECT_AREA], order) if _SUBJECT_AREA in tags else []
    if len(area) != 4 or not area[2] or not area[3]:
        return None
    x, y, width, height = area
    return x - width // 2, y - height // 2, width, height
