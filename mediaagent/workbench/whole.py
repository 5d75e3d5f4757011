"""Pictures that are believed by their structure: nothing is decoded, so no decoder has to be loaded.

It serves for what somebody handed over as finished. What the structure alone can't tell is left to `pictures`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from mediaagent.rules.completeness import examine
from mediaagent.workbench.containers import (
    MOST_PIXELS,
    BadPicture,
    chunks_of_png,
    dimensions,
    kind_of,
    segments_of_jpeg,
)
from mediaagent.workbench.exif import exif_of, told
from mediaagent.workbench.metadata import without_metadata

__all__ = ["Cleaned", "clean", "prove", "prove_checksums"]

#: What browsers show as it is, and the ending of its name.
_ENDINGS = {"jpeg": ".jpg", "png": ".png", "gif": ".gif", "webp": ".webp"}


class Cleaned(NamedTuple):
    """A picture as it may go out, and what the original told of itself."""

    data: bytes
    media_type: str
    ending: str  # of its file's name
    facts: dict[str, Any]


def prove(data: bytes) -> dict[str, Any] | None:
    """What `pictures.prove` tells of a whole picture; None where only a decoder can tell. Raises BadPicture."""
    kind, size = kind_of(data), dimensions(data)
    if kind not in _ENDINGS or size is None or size[0] * size[1] > MOST_PIXELS:
        return None
    if not examine(len(data), lambda offset, length: data[offset : offset + length], "").whole:
        return None
    if kind == "png":
        prove_checksums(data)
    if kind == "jpeg" and not all(_fits(marker, segment[4:]) for marker, segment in segments_of_jpeg(data)):
        return None
    return told(data) | {"width": size[0], "height": size[1]}


def clean(data: bytes) -> Cleaned | None:
    """What `pictures.clean` makes of it; None where that takes a decoder. Raises BadPicture."""
    kind, facts = kind_of(data), prove(data)
    if facts is None or exif_of(data).orientation != 1:
        return None
    try:
        stripped = without_metadata(data)
    except IndexError:
        return None
    if stripped is None or prove(stripped) is None:
        return None
    return Cleaned(stripped, f"image/{kind}", _ENDINGS[kind], facts)


def _fits(marker: int, body: bytes) -> bool:
    """A JPEG's table or frame is as long as its content says (ITU T.81, B.2): a damaged length would keep what stands
    behind it."""
    if marker == 0xDB:
        return _filled(body, lambda at: 65 if body[at] < 16 else 129)
    if marker == 0xC4:
        return _filled(body, lambda at: 17 + sum(body[at + 1 : at + 17]))
    if 0xC0 <= marker <= 0xCF and marker != 0xCC:
        return len(body) > 5 and len(body) == 6 + 3 * body[5]
    return marker != 0xDD or len(body) == 2


def _filled(body: bytes, length: Callable[[int], int]) -> bool:
    """It is made of tables of these lengths, with nothing left over."""
    at = 0
    while at < len(body):
        at += length(at)
    return at == len(body)


def prove_checksums(data: bytes) -> None:
    """Of a PNG. Raises BadPicture."""
    at = 8
    for name, body in chunks_of_png(data):
        at += 12 + len(body)
        if zlib.crc32(name + body) != int.from_bytes(data[at - 4 : at], "big"):
            raise BadPicture(f"the checksum of its {name.decode('latin-1')} chunk is wrong")
