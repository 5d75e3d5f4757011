"""Names the files of a post on the site: unique there, and known again later.

`robin.jpg` becomes `robin-3f9ac2d1.jpg`, where the eight digits come from the post's key. So an attachment tells by
itself whose it is, and every try gives the same file the same name.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

from mediaagent.api import PostPart

__all__ = ["is_of", "original", "same", "site_name"]

_EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp"}
#: The site takes `<` and `>` out, PHP directories; quotes and backslashes are spelt in more than one way on the wire.
_UNSAFE = re.compile(r'[<>"\\/:*?|\x00-\x1f\x7f-\x9f]')
_LONGEST_STEM = 100


def site_name(part: PostPart, key: str) -> str:
    """The file's name on the site, always with an extension (the site would append one)."""
    path = PurePosixPath(_UNSAFE.sub("_", part.name.encode("utf-8", "replace").decode("utf-8")))
    extension = path.suffix if 1 < len(path.suffix) <= 6 else ""
    stem = path.name.removesuffix(extension)
    if len(stem) > _LONGEST_STEM:
        stem = stem[: _LONGEST_STEM - 9] + "-" + hashlib.sha256(stem.encode()).hexdigest()[:8]
    return f"{stem}{_mark(key)}{extension or _EXTENSIONS.get(part.media_type, '')}"


def original(name: str, key: str) -> str:
    """The name before `site_name`, for all ordinary names."""
    return name.replace(_mark(key), "", 1) if is_of(name, key) else name


def is_of(name: str, key: str) -> bool:
    """The name was given for a post with this key."""
    return _mark(key) in name


def same(sent: str, held: str) -> bool:
    """The site's name `held` is for the file sent as `sent`; the site may have appended an extension."""
    return held == sent or (held.startswith(sent) and held[len(sent) :].lower() in _APPENDED)


_APPENDED = {".jpg", ".jpeg", ".png", ".gif", ".webp"}


def _mark(key: str) -> str:
    return "-" + hashlib.sha256(key.encode()).hexdigest()[:8]
