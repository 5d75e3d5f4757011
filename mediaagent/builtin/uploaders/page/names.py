"""Names of files, folders and anchors that are safe on every file system, made of whatever names come in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import quote

__all__ = ["clean", "file_names", "slug", "url_of"]

#: Longest name in bytes: ext4 and most others take 255; the rest is room for a temporary name.
_LONGEST = 200
#: Not allowed on FAT and NTFS (a timeline may well live on a USB stick), or a way out of the folder.
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029]')
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
#: Neither XML nor HTML has a way to write these.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")


def clean(text: str) -> str:
    r"""Text that HTML and JSON can carry: line ends unified, undecodable bytes and control characters made visible.

    >>> clean("a\r\nb \udcff \x1b[31m")
    'a\nb \\udcff \\x1b[31m'
    """
    decodable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    unified = decodable.replace("\r\n", "\n").replace("\r", "\n")
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), unified)


def slug(key: str) -> str:
    """A key as name of a file or folder and as part of an anchor. Two keys never share one.

    >>> slug("01jd-abc"), slug("../Key")[:8]
    ('01jd-abc', 'Key-10fb')
    """
    if _PLAIN.fullmatch(key) and not key.endswith("."):
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", key).strip("-.")[:60]
    return f"{readable}-{digest}" if readable else digest


def file_names(names: Iterable[str], given_away: Iterable[str] = ()) -> list[str]:
    """For each name of a post's parts the name its file gets: no folders, never hidden, unique without regard to case.

    >>> file_names(["a.jpg", "A.jpg", "../../etc/passwd", ".profile", ""])
    ['a.jpg', 'A-2.jpg', '_.._.._etc_passwd', '_.profile', 'file']
    """
    taken = {name.casefold() for name in given_away}
    given = []
    for name in names:
        safe = candidate = _safe(name)
        count = 1
        while candidate.casefold() in taken:
            count += 1
            path = PurePosixPath(safe)
            candidate = f"{path.stem}-{count}{path.suffix}"
        taken.add(candidate.casefold())
        given.append(candidate)
    return given


def _safe(name: str) -> str:
    flat = _UNSAFE.sub("_", clean(name)).rstrip(". ")
    if flat.startswith("."):
        flat = f"_{flat}"
    path = PurePosixPath(flat)
    suffix = path.suffix if len(path.suffix) <= 16 else ""
    stem = path.name.removesuffix(suffix).encode()[: _LONGEST - len(suffix.encode())].decode(errors="ignore")
    return f"{stem}{suffix}" or "file"


def url_of(*path: str) -> str:
    """A relative URL of a file below the timeline's folder.

    >>> url_of("media", "k", "100% #1.jpg")
    'media/k/100%25%20%231.jpg'
    """
    return "/".join(quote(piece, safe="") for piece in path)
