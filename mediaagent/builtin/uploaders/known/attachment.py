"""Puts files on the site that posts link: any kind, bytes kept exactly, for everybody who knows the address.

Where a file went is noted before anything else is done, so that no try uploads it again. A file whose address was lost
with the answer stays on the site, linked by nothing: the site lists and deletes no such files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote

from mediaagent.api import Deferred, PostPart, Progress, Rejected
from mediaagent.builtin.uploaders.known import encryption, finding
from mediaagent.builtin.uploaders.known.answers import Answer, plainly_uploaded, uploaded
from mediaagent.builtin.uploaders.known.body import multipart
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.finding import Item
from mediaagent.builtin.uploaders.known.names import bare, link_name
from mediaagent.builtin.uploaders.known.text import Enclosure

__all__ = ["Linked", "attach", "lacking"]

_UNTOLD = -1
#: The site serves a file under its own name and with the type it was sent with, so a page or a drawing with scripts in
#: it would act for whoever looks at it there. What is not on this list is offered for download.
_SHOWN = {"application/json", "application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp", "text/plain"}


class Linked(dict[str, str]):
    """A `Progress` that knows what a post links already."""

    def __init__(self, item: Item, parts: Sequence[PostPart], key: str, recipient: str) -> None:
        held = item.links
        names = ((_note(part, recipient), link_name(part, key, encrypted=bool(recipient))) for part in parts)
        super().__init__({note: held[name].rpartition("/")[0] for note, name in names if name in held})

    def save(self, name: str, value: str) -> None:
        self[name] = value


def attach(
    client: Client, parts: Sequence[PostPart], key: str, progress: Progress, recipient: str
) -> tuple[Enclosure, ...]:
    """Uploads what is not there yet. Raises Deferred (never in doubt: no post is made here), Rejected or TooLarge."""
    try:
        return tuple(_attach(client, part, key, progress, recipient) for part in parts)
    except Deferred as deferred:
        raise Deferred(
            str(deferred), retry_after=deferred.retry_after, in_doubt=False, target_down=deferred.target_down
        ) from None


def lacking(item: Item, parts: Sequence[PostPart], key: str, recipient: str) -> list[PostPart]:
    """Those parts that the post does not link."""
    return [part for part in parts if link_name(part, key, encrypted=bool(recipient)) not in item.links]


def _attach(client: Client, part: PostPart, key: str, progress: Progress, recipient: str) -> Enclosure:
    name, note = link_name(part, key, encrypted=bool(recipient)), _note(part, recipient)
    size = part.file.stat().st_size
    # the older way of uploading encodes JPEGs anew, and no two encryptions are of one length
    proven = (size, _UNTOLD) if not recipient and bare(part.media_type) != "image/jpeg" else None
    url = progress.get(note)
    kept = _kept(client, url) if url else None
    if not url or kept is None or (proven and kept not in proven):
        url = _upload(client, part, name, recipient)
        progress.save(note, url)
        kept = _kept(client, url)
        if kept is None:
            raise Deferred(f"{client.site}: the site says that it keeps {part.name} as {url}, but does not show it")
        if proven and kept not in proven:
            raise Rejected(f"{client.site}: of the {size} bytes of {part.name} the site keeps {kept}")
    told = _size(size) + (", encrypted" if recipient else "")
    return Enclosure(part.name + (".age" if recipient else ""), f"{url}/{quote(name)}", told)


def _note(part: PostPart, recipient: str) -> str:
    return f"attachment:{part.name}" + (".age" if recipient else "")


def _upload(client: Client, part: PostPart, name: str, recipient: str) -> str:
    media_type = "application/octet-stream" if recipient else _safe(bare(part.media_type))

    def post(path: str) -> tuple[Answer, int]:
        body = multipart({}, "file", name, media_type, _source(part.file, recipient))
        return client.post(path, body), len(body)

    answer, size = post("/micropub/endpoint")
    if answer.status != 404:
        return uploaded(answer, f"{client.site}/micropub/endpoint ({part.name})", size)
    # no IndiePub plug-in: the older way, which says nothing when it fails, not even that it does not know us
    answer, size = post("/file/upload")
    if answer.status == 200 and not answer.body.strip():
        finding.user_uuid(client)
    return plainly_uploaded(answer, f"{client.site}/file/upload ({part.name})", size)


def _safe(kind: str) -> str:
    harmless = kind in _SHOWN or kind.startswith(("audio/", "video/"))
    return kind if harmless else "application/octet-stream"


def _source(path: Path, recipient: str) -> Path | IO[bytes]:
    return encryption.encrypted(path, recipient) if recipient else path


def _kept(client: Client, url: str) -> int | None:
    """How many bytes the site keeps there, `_UNTOLD` when it does not say; None: nothing."""
    path = finding.at_home(client, url)
    if not path:
        return _UNTOLD
    answer = client.head(path)
    if answer.status in (404, 410):
        return None
    if answer.status in (405, 501):  # something in between knows GET and POST only
        return _UNTOLD
    if answer.status != 200:
        raise Deferred(f"{client.site}: the site answered {answer.status} when asked for {url}", target_down=True)
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else _UNTOLD


def _size(size: int) -> str:
    """A length as people say it.

    >>> _size(999), _size(16_527), _size(2_400_000_000)
    ('999 bytes', '17 kB', '2.4 GB')
    """
    for unit, name, digits in ((10**9, "GB", 1), (10**6, "MB", 1), (10**3, "kB", 0)):
        if size >= unit:
            return f"{size / unit:.{digits}f} {name}"
    return f"{size} bytes"
