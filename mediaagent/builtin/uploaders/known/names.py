"""Names the files of a post on the site: unique there, and known again later.

`robin.jpg` becomes `robin-3f9ac2d1.jpg`, where the eight digits come from the post's key. So an attachment tells by
itself whose it is, and every try gives the same file the same name.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import PurePosixPath

from mediaagent.api import PostPart

__all__ = ["bare", "is_of", "link_name", "media_name", "original", "same", "site_name"]

_EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp"}
#: The site takes `<` and `>` out, PHP directories; quotes and backslashes are spelt in more than one way on the wire.
_UNSAFE = re.compile(r'[<>"\\/:*?|\x00-\x1f\x7f-\x9f]')
_LONGEST_STEM = 100
#: The Media plug-in looks at nothing but the extension (Known 1.6.2, `IdnoPlugins/Media/Media.php`).
_PLAYED = {".mp4", ".mov", ".webm", ".ogg", ".mpeg", ".mp3", ".m4a", ".wav", ".vorbis"}
#: What is of these types gets an extension that it takes.
_PLAYABLE = {
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/opus": ".ogg",
    "audio/wav": ".wav",
    "audio/webm": ".webm",
    "audio/x-m4a": ".m4a",
    "audio/x-wav": ".wav",
    "video/mp4": ".mp4",
    "video/mpeg": ".mpeg",
    "video/ogg": ".ogg",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}
_ENCRYPTED = ".age"


def site_name(part: PostPart, key: str) -> str:
    """The file's name on the site, always with an extension (the site would append one)."""
    return _site_name(part.name, part.media_type, key)


@lru_cache(maxsize=64)  # asked for some times in a row while a post is sent
def _site_name(name: str, media_type: str, key: str) -> str:
    path = PurePosixPath(_UNSAFE.sub("_", name.encode("utf-8", "replace").decode("utf-8")))
    extension = path.suffix if 1 < len(path.suffix) <= 6 else ""
    stem = path.name.removesuffix(extension)
    if len(stem) > _LONGEST_STEM:
        stem = stem[: _LONGEST_STEM - 9] + "-" + hashlib.sha256(stem.encode()).hexdigest()[:8]
    return f"{stem}{_mark(key)}{extension or _EXTENSIONS.get(media_type, '')}"


def media_name(part: PostPart, key: str) -> str:
    """The same, with an extension that the Media plug-in takes; "" for what no player plays."""
    kind, name = bare(part.media_type), site_name(part, key)
    if kind.partition("/")[0] not in ("audio", "video") or "codec=" in part.media_type:
        return ""
    if PurePosixPath(name).suffix.lower() in _PLAYED:
        return name
    return name + _PLAYABLE[kind] if kind in _PLAYABLE else ""


def link_name(part: PostPart, key: str, *, encrypted: bool) -> str:
    """The same for a file that is linked."""
    return site_name(part, key) + (_ENCRYPTED if encrypted else "")


def bare(media_type: str) -> str:
    """A media type without parameters; any other text is no type.

    >>> bare("audio/vnd.wave; codec=31"), bare('x"y')
    ('audio/vnd.wave', 'application/octet-stream')
    """
    kind = media_type.partition(";")[0].strip().lower()
    return kind if re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind) else "application/octet-stream"


def original(name: str, key: str) -> str:
    """The name before `site_name`, for all ordinary names."""
    return name.replace(_mark(key), "", 1).removesuffix(_ENCRYPTED) if is_of(name, key) else name


def is_of(name: str, key: str) -> bool:
    """The name was given for a post with this key."""
    return _mark(key) in name


def same(sent: str, held: str) -> bool:
    """The site's name `held` is for the file sent as `sent`; the site may have appended an extension."""
    return held == sent or (held.startswith(sent) and held[len(sent) :].lower() in _APPENDED)


_APPENDED = {".jpg", ".jpeg", ".png", ".gif", ".webp"}


def _mark(key: str) -> str:
    return "-" + hashlib.sha256(key.encode()).hexdigest()[:8]
