"""Decodes pictures for proof, turns them upright, writes them anew or smaller.

Runs in the child only: it imports OpenCV.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mediaagent import previews
from mediaagent.parallel import side_by_side
from mediaagent.workbench.containers import MOST_PIXELS, BadPicture, dimensions, kind_of, segments_of_jpeg
from mediaagent.workbench.exif import exif_of, told
from mediaagent.workbench.metadata import colour_profile, with_colour_profile, without_metadata
from mediaagent.workbench.whole import Cleaned, prove_checksums

__all__ = ["MOST_PIXELS", "BadPicture", "Cleaned", "clean", "prove", "prove_each", "smaller"]

#: Times the pixels of a JPEG: the decoder goes through all of them for each scan. Progressive ones have about ten.
_MOST_SCANNED = 20 * MOST_PIXELS
_QUALITY = 92

cv2.setNumThreads(1)  # where it pays, whole pictures are worked at side by side

Pixels = np.ndarray[Any, np.dtype[Any]]


def prove(data: bytes) -> dict[str, Any]:
    """Decodes the whole picture. What it tells of itself: width, height, and where EXIF knows: motion_box, taken_at.

    Raises BadPicture."""
    _look_over(data)
    return _facts(data, _decoded(data))


def prove_each(pictures: Mapping[Path, bytes]) -> list[dict[str, Any] | None]:
    """The same of several, side by side. None: what there is to say of that one it tells by itself.

    They are decoded as far as an enricher wants to see them, and kept for it. Damage is told on the standard error,
    without a name. Where there is any, none of them counts as proven."""
    with _complaints() as complaints:
        found = side_by_side(_proven, pictures.values())
    if any(map(_is_damage, complaints)):
        return [None] * len(found)
    for file, (facts, seen) in zip(pictures, found, strict=True):
        if facts is not None and seen is not None:
            previews.keep(file, seen)
    return [facts for facts, _ in found]


def _proven(data: bytes) -> tuple[dict[str, Any] | None, Pixels | None]:
    try:
        _look_over(data)
        pixels = previews.decoded(data, *(dimensions(data) or (0, 0)))
        return (None if pixels is None else _facts(data, pixels)), pixels
    except (BadPicture, cv2.error, MemoryError):
        return None, None


def clean(data: bytes) -> Cleaned:
    """The picture upright and without metadata, decoded in full; facts as `prove` tells them. Raises BadPicture.

    Not a pixel changes where the picture is upright already and of a format that browsers show; else it is written anew
    (JPEG and WebP at quality 92)."""
    _look_over(data)
    kind, orientation = kind_of(data), exif_of(data).orientation
    if orientation == 1:
        try:
            stripped = without_metadata(data)
        except IndexError:
            raise BadPicture("its pieces don't fit together") from None
        if stripped is not None:  # what goes out was decoded just as it goes out
            return Cleaned(stripped, f"image/{kind}", _ENDINGS[kind], _facts(data, _decoded(stripped)))
    pixels = _decode(data, cv2.IMREAD_UNCHANGED)
    facts, pixels = _facts(data, pixels), _turned(pixels, orientation)
    if kind == "webp":
        quality = 101 if b"VP8L" in data[12:64] else _QUALITY  # lossless stays so
        return Cleaned(_encode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality]), "image/webp", ".webp", facts)
    if kind in ("png", "gif", "bmp", "tiff", "ppm"):
        return Cleaned(_encode(".png", pixels, []), "image/png", ".png", facts)
    return Cleaned(_jpeg(pixels, _QUALITY, colour_profile(data)), "image/jpeg", ".jpg", facts)


def _look_over(data: bytes) -> None:
    """What its bytes tell without a decoder. Raises BadPicture."""
    if not data:
        raise BadPicture("it is empty")
    size, kind = dimensions(data), kind_of(data)
    if size and size[0] * size[1] > MOST_PIXELS:
        raise BadPicture(f"{size[0]} x {size[1]} pixels are more than the limit of {MOST_PIXELS // 1_000_000} million")
    if kind == "png":
        prove_checksums(data)
    if kind == "jpeg":
        markers = [marker for marker, _ in segments_of_jpeg(data)]
        if size:
            _prove_scans(markers.count(0xDA), *size)
        if 0xD9 not in markers:
            raise BadPicture("it is cut: no end marker")  # some releases decode what there is and keep quiet


def _decoded(data: bytes) -> Pixels:
    """Its pixels for proof.

    Of a JPEG all is read and every code in it decoded, which is where damage shows; only the arithmetic that makes
    eight by eight pixels of each block, and can't fail, is done for one (measured: 2 to 5 times as fast)."""
    flags = cv2.IMREAD_REDUCED_GRAYSCALE_8 if kind_of(data) == "jpeg" else cv2.IMREAD_GRAYSCALE
    return _decode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION)


def _facts(data: bytes, pixels: Pixels) -> dict[str, Any]:
    """`pixels` tell the size where the beginning doesn't, of which they then are all."""
    width, height = dimensions(data) or (pixels.shape[1], pixels.shape[0])
    return told(data) | {"width": width, "height": height}


_ENDINGS = {"jpeg": ".jpg", "png": ".png", "gif": ".gif", "webp": ".webp"}

#: EXIF orientation -> what makes it upright (EXIF 2.32, 4.6.4 A)
_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: lambda pixels: cv2.transpose(pixels),
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.flip(cv2.transpose(pixels), -1),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    return _TURNS[orientation](pixels) if orientation in _TURNS else pixels


#: quality, scale: the eye forgives the first steps most
_STEPS = [(85, 1.0), (75, 1.0), (65, 1.0), (55, 1.0)]
_STEPS += [(75, scale) for scale in (0.75, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05)]


def smaller(data: bytes, limit: int) -> bytes:
    """The picture as a JPEG of at most `limit` bytes: lower quality first, then fewer pixels. Raises BadPicture."""
    pixels = _turned(_decode(data, cv2.IMREAD_UNCHANGED), exif_of(data).orientation)
    profile = colour_profile(data)
    for quality, scale in _STEPS:
        width, height = (max(1, round(side * scale)) for side in (pixels.shape[1], pixels.shape[0]))
        scaled = pixels if scale == 1 else cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        written = _jpeg(scaled, quality, profile)
        if len(written) <= limit:
            return written
    raise BadPicture(f"it can't be made smaller than {len(written)} bytes")


# --- OpenCV, guarded --------------------------------------------------------------------------------------------------


def _decode(data: bytes, flags: int) -> Pixels:
    with _complaints() as complaints:
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            raise BadPicture(f"the decoder refuses it: {str(error.err).strip() or error.code}") from None
        except MemoryError:
            raise BadPicture("it takes more memory than it may have") from None
    damage = next((line for line in complaints if _is_damage(line)), "")
    if pixels is None or damage:
        # OpenCV's own log lines begin with "[" and tell of its source files, not of the picture.
        words = next((line for line in complaints if not line.startswith("[")), "")
        raise BadPicture(damage or words or "no decoder can read it")
    return pixels


#: libjpeg fills what is missing with grey and only prints a warning. A few stray bytes before the end marker are how
#: cheap webcams pad their frames: all the pixels are there.
_DAMAGE = re.compile(r"premature end|corrupt jpeg data|bad huffman|inconsistent progression|unsupported marker", re.I)
_STRAY = re.compile(r"(\d+) extraneous bytes before marker 0xd9", re.I)
_FEW = 16


def _is_damage(line: str) -> bool:
    stray = _STRAY.search(line)
    return _DAMAGE.search(line) is not None and not (stray and int(stray[1]) <= _FEW)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What C libraries print to the standard error meanwhile: the only place where libjpeg tells of damage."""
    lines: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() if not hasattr(os, "memfd_create") else _memory() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            heard.seek(0)
            lines += heard.read(1 << 16).decode("utf-8", "replace").splitlines()


def _memory() -> Any:
    return os.fdopen(os.memfd_create("complaints"), "w+b")


def _prove_scans(scans: int, width: int, height: int) -> None:
    """A file of a few kilobytes can ask for minutes of work."""
    if scans * width * height > _MOST_SCANNED:
        raise BadPicture(f"{scans} scans of {width} x {height} pixels are more work than a picture may be")


def _jpeg(pixels: Pixels, quality: int, profile: bytes) -> bytes:
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 4:  # JPEG knows no transparency: on white
        alpha = pixels[..., 3:].astype(np.float32) / 255
        pixels = (pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    written = _encode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return with_colour_profile(written, profile)


def _encode(ending: str, pixels: Pixels, options: list[int]) -> bytes:
    try:
        done, written = cv2.imencode(ending, pixels, options)
    except cv2.error as error:
        raise BadPicture(f"it can't be written anew: {str(error.err).strip() or error.code}") from None
    if not done:
        raise BadPicture(f"it can't be written anew as {ending}")
    return bytes(written)
