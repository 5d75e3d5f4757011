"""Pictures that are believed by their structure: nothing is decoded, so no decoder has to be loaded.

It serves for what somebody handed over as finished. What the structure alone can't tell is left to `pictures`.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from mediaagent.rules.completeness import examine
from mediaagent.workbench.containers import MOST_PIXELS, BadPicture, chunks_of_png, dimensions, kind_of
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
    """What `pictures.prove` tells of it; None when only decoding can tell. Raises BadPicture for what is not whole."""
    kind, size = kind_of(data), dimensions(data)
    if kind not in _ENDINGS or size is None:
        return None
    if size[0] * size[1] > MOST_PIXELS:
        raise BadPicture(f"{size[0]} x {size[1]} pixels are more than the limit of {MOST_PIXELS // 1_000_000} million")
    verdict = examine(len(data), lambda offset, length: data[offset : offset + length], "")
    if not verdict.whole:
        raise BadPicture(verdict.reason)
    if kind == "png":
        prove_checksums(data)
    return told(data) | {"width": size[0], "height": size[1]}


def clean(data: bytes) -> Cleaned | None:
    """What `pictures.clean` makes of it; None when it has to be written anew. Raises BadPicture."""
    kind = kind_of(data)
    if kind not in _ENDINGS or exif_of(data).orientation != 1:
        return None
    facts = prove(data)
    try:
        stripped = without_metadata(data)
    except IndexError:
        raise BadPicture("its pieces don't fit together") from None
    if facts is None or stripped is None or prove(stripped) is None:
        return None
    return Cleaned(stripped, f"image/{kind}", _ENDINGS[kind], facts)


def prove_checksums(data: bytes) -> None:
    """Of a PNG. Raises BadPicture."""
    at = 8
    for name, body in chunks_of_png(data):
        at += 12 + len(body)
        if zlib.crc32(name + body) != int.from_bytes(data[at - 4 : at], "big"):
            raise BadPicture(f"the checksum of its {name.decode('latin-1')} chunk is wrong")
