"""Puts files on the site that posts link: any kind, bytes kept exactly, for everybody who knows the address.

Where a file went is noted before anything else is done, so that no try uploads it again. A file whose address was lost
with the answer stays on the site, linked by nothing: the site lists and deletes no such files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

from msgspec.structs import replace

from mediaagent.api import Deferred, Post, PostPart, Progress, Rejected, Text, TooLarge, readable_size
from mediaagent.builtin.uploaders.known import encryption, finding
from mediaagent.builtin.uploaders.known.answers import Answer, plainly_uploaded, uploaded
from mediaagent.builtin.uploaders.known.body import multipart
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.finding import Item
from mediaagent.builtin.uploaders.known.names import bare, link_name
from mediaagent.builtin.uploaders.known.text import Enclosure

__all__ = ["Linked", "attach", "is_here", "lacking", "size_of", "without"]

_UNTOLD = -1
#: The site serves a file under its own name and with the type it was sent with, so a page or a drawing with scripts in
#: it would act for whoever looks at it there. What is not on this list is offered for download.
_SHOWN = {"application/json", "application/pdf", "image/gif", "image/jpeg", "image/png", "image/webp", "text/plain"}


class _Form(NamedTuple):
    """How a part is linked: encrypted or not."""

    note: str  # of the progress, under which its address is kept
    name: str  # on the site
    shown: str  # in the text
    encrypted: bool


def _form(part: PostPart, key: str, encrypted: bool) -> _Form:
    ending = ".age" if encrypted else ""
    name = link_name(part, key, encrypted=encrypted)
    return _Form(f"attachment:{part.name}{ending}", name, part.name + ending, encrypted)


def _forms(part: PostPart, key: str, recipient: str) -> list[_Form]:
    """What counts as this part: where its own file is gone, also what went before a recipient was set or taken away."""
    wanted = bool(recipient)
    return [_form(part, key, encrypted) for encrypted in ([wanted] if is_here(part) else [wanted, not wanted])]


class Linked(dict[str, str]):
    """A `Progress` that knows what a post links already."""

    def __init__(self, item: Item, parts: Sequence[PostPart], key: str, recipient: str) -> None:
        held = item.links
        forms = [form for part in parts for form in _forms(part, key, recipient)]
        super().__init__({form.note: held[form.name].rpartition("/")[0] for form in forms if form.name in held})

    def save(self, name: str, value: str, *, flushed: bool = True) -> None:
        self[name] = value


def is_here(part: PostPart) -> bool:
    """Our own copy is still there: it stays for a day after the post was delivered."""
    try:
        part.file.stat()
    except FileNotFoundError:
        return False
    return True


def size_of(part: PostPart) -> int:
    """Of the file, also of one that is gone."""
    return part.file.stat().st_size if is_here(part) else part.size


def attach(
    client: Client, parts: Sequence[PostPart], key: str, progress: Progress, recipient: str
) -> dict[str, Enclosure]:
    """Uploads what is not there yet; the links by the parts' names, without parts that are neither here nor there.

    The smallest go first: when one is too large, those that went through show what is not. Raises Deferred (never in
    doubt: no post is made here), Rejected or TooLarge, with a limit under which nothing falls that went through.
    """
    links, most = {}, 0
    for part in sorted(parts, key=size_of):
        try:
            link = _attach(client, part, key, progress, recipient)
        except Deferred as deferred:
            raise Deferred(
                str(deferred), retry_after=deferred.retry_after, in_doubt=False, target_down=deferred.target_down
            ) from None
        except TooLarge as large:
            raise TooLarge(str(large), large.limit or max(most, size_of(part) // 2)) from None
        if link:
            links[part.name], most = link, size_of(part)
    return links


def without(post: Post, lost: Sequence[PostPart]) -> Post:
    """The post without these parts, which says so."""
    if not lost:
        return post
    why = "its file is gone, here and on the site"
    said = "\n".join(f"Left out: {part.name} ({readable_size(part.size)}): {why}" for part in lost)
    return replace(post, parts=tuple(part for part in post.parts if part not in lost), body=(*post.body, Text(said)))


def lacking(item: Item, parts: Sequence[PostPart], key: str, recipient: str) -> list[PostPart]:
    """Those parts that the post does not link."""
    return [part for part in parts if not any(form.name in item.links for form in _forms(part, key, recipient))]


def _attach(client: Client, part: PostPart, key: str, progress: Progress, recipient: str) -> Enclosure | None:
    if not is_here(part):
        return _left_there(client, part, key, progress, recipient)
    form, size = _form(part, key, bool(recipient)), size_of(part)
    # the older way of uploading encodes JPEGs anew, and no two encryptions are of one length
    proven = (size, _UNTOLD) if not recipient and bare(part.media_type) != "image/jpeg" else None
    url = progress.get(form.note)
    kept = _kept(client, url) if url else None
    if not url or kept is None or (proven and kept not in proven):
        url = _upload(client, part, form.name, recipient)
        progress.save(form.note, url)
        kept = _kept(client, url)
        if kept is None:
            raise Deferred(f"{client.site}: the site says that it keeps {part.name} as {url}, but does not show it")
        if proven and kept not in proven:
            raise Rejected(f"{client.site}: of the {size} bytes of {part.name} the site keeps {kept}")
    return _enclosure(form, url, size)


def _left_there(client: Client, part: PostPart, key: str, progress: Progress, recipient: str) -> Enclosure | None:
    """The link to what an earlier try put there; None: it is not there either."""
    for form in _forms(part, key, recipient):
        url = progress.get(form.note)
        if url and _kept(client, url) is not None:
            return _enclosure(form, url, part.size)
    return None


def _enclosure(form: _Form, url: str, size: int) -> Enclosure:
    told = readable_size(size) + (", encrypted" if form.encrypted else "")
    return Enclosure(form.shown, f"{url}/{quote(form.name)}", told)


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
    if bare(answer.headers.get("content-type", "")) == "text/html":  # nothing of ours is sent as that
        page = "the answer is a web page: a login page or another server is in between"
        raise Deferred(f"{client.site}: asked for {url}, {page}", target_down=True)
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdecimal() else _UNTOLD
