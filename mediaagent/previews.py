"""Pictures as they are judged: grey and small. What was decoded for its proof is kept for whoever judges it next.

Called in the workbench's child only: that loads OpenCV, importing this does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]

__all__ = ["SIDE", "decoded", "keep", "preview"]

#: Pixels of the longer side of a preview, at most.
SIDE = 640
#: Bytes that are kept: some hundred pictures, more than a visit has.
_ROOM = 32 << 20

_Key = tuple[Path, int, int, int]
_kept: dict[_Key, Pixels] = {}  # in the order in which they came


def preview(file: Path, width: int = 0, height: int = 0) -> Pixels | None:
    """A picture's grey levels (rows x columns, 8 bit), reduced to at most `SIDE` and not turned upright.

    `width`, `height`: its size, where it is known; a decoder can reduce large pictures much faster then. None: no
    decoder reads it. Raises OSError."""
    found = _kept.pop(_key(file), None)
    if found is not None:
        return found
    data = file.read_bytes()
    return decoded(data, width, height) if data else None


def keep(file: Path, pixels: Pixels) -> None:
    """For the next one who asks for a preview of this file. Of too many the oldest go."""
    _kept[_key(file)] = pixels
    while sum(each.nbytes for each in _kept.values()) > _ROOM:
        _kept.pop(next(iter(_kept)))


def decoded(data: bytes, width: int, height: int) -> Pixels | None:
    """What `preview` shows of these bytes. Raises cv2.error."""
    import cv2
    import numpy as np

    reduced = {1: cv2.IMREAD_GRAYSCALE, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}
    by = next((by for by in (4, 2) if max(width, height) >= by * SIDE and min(width, height) >= by), 1)
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), reduced[by] | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey is None or max(grey.shape) <= SIDE:
        return grey
    height, width = (max(1, round(side * SIDE / max(grey.shape))) for side in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def _key(file: Path) -> _Key:
    found = file.stat()
    return file, found.st_ino, found.st_size, found.st_mtime_ns
