"""Finds and reads Motion's configuration files (4.x, 5.x; Debian's and motionEye's places).

The format is that of Motion 4.5's conf.c: one `name value` a line, `=` allowed between, `#` and `;` begin a comment;
`camera FILE`, `camera_dir FOLDER` and the older `thread FILE` name files of single cameras, which inherit from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from mediaagent.model import printable
from mediaagent.places import expanded

__all__ = ["PLACES", "Camera", "cameras", "find", "read"]

#: Where Motion and motionEye look for their settings.
PLACES = (
    "~/.motion/motion.conf",
    "/etc/motion/motion.conf",
    "/usr/local/etc/motion/motion.conf",
    "/etc/motioneye/motion.conf",
)
_EYE = "/etc/motioneye"
_LINE = re.compile(r"^([A-Za-z_]\w*)(?:\s*=\s*|\s+)(.*)$")


class Camera(Struct, frozen=True, kw_only=True):
    """One camera, as far as it matters to the watcher `motion`."""

    name: str
    file: Path
    target_dir: Path | None
    values: Mapping[str, str]  # every setting, inherited ones too


def find(root: Path = Path("/")) -> list[Path]:
    """The configuration files that are there. `root` is for trying this out elsewhere."""
    places = [expanded(Path(place)) for place in PLACES]
    places = [root / place.relative_to("/") if root != Path("/") else place for place in places]
    found = [place for place in places if place.is_file()]
    eye = root / _EYE.lstrip("/")
    if not any(place.parent == eye for place in found):
        found += sorted(eye.glob("camera-*.conf")) + sorted(eye.glob("thread-*.conf"))
    return found


def cameras(file: Path, told: list[str]) -> list[Camera]:
    """The cameras of one configuration. What can't be read is added to `told`."""
    main, files = read(file, told)
    if not files:
        return [_camera(file, main)]
    found = []
    for each in files:
        own, _ = read(each, told)
        if own:
            found.append(_camera(each, {**main, **own}))
    return found


def read(file: Path, told: list[str]) -> tuple[dict[str, str], list[Path]]:
    """The settings of one file, and the camera files that it names."""
    values: dict[str, str] = {}
    files: list[Path] = []
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        told.append(f"{printable(file)}: {error.strerror}")
        return {}, []
    for name, value in _lines(text):
        if name in ("camera", "thread"):
            files.append(file.parent / value)
        elif name == "camera_dir":
            files += sorted((file.parent / value).glob("*.conf"))
        else:
            values[name] = value
    return values, files


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = _LINE.match(line.strip())
        if match:
            value = match[2].strip()
            if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            yield match[1], value


def _camera(file: Path, values: Mapping[str, str]) -> Camera:
    folder = values.get("target_dir", "")
    name = values.get("camera_name") or (f"camera{values['camera_id']}" if "camera_id" in values else file.stem)
    return Camera(name=name, file=file, target_dir=Path(folder) if folder else None, values=values)
