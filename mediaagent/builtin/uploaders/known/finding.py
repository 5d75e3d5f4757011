"""Finds our post on the site by its key, proves that it is ours, leaves exactly one of it.

The key stands in a hidden span at the end of the body, or as a tag. The site's search is by full text, so a hit
may be anybody's post that quotes the key: only the exact carrier, in a post of our own user, counts.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from mediaagent.api import Absent, Deferred, Found, Receipt, Unknown
from mediaagent.builtin.uploaders.known import names
from mediaagent.builtin.uploaders.known.answers import Answer, reasons
from mediaagent.builtin.uploaders.known.body import form
from mediaagent.builtin.uploaders.known.client import Client

__all__ = [
    "Attachment",
    "Item",
    "at_home",
    "drop_repeats",
    "find",
    "locate",
    "permalink",
    "read",
    "search",
    "send_delete",
    "user_uuid",
]

_PAGE = 10  # the site ignores any other wish
_MOST_PAGES = 20
#: What stands hidden in a text, alone in its span.
_HIDDEN = re.compile(r'<span hidden(?:="[^"]*")?(?: style="[^"]*")?>\s*([a-z0-9_]+)\s*</span>')
_LINK = re.compile(r'<a [^>]*?href="([^"]*/file/[^"/]+/[^"/]+)"')


class Attachment(msgspec.Struct, frozen=True):
    """A file that a post holds."""

    name: str
    id: str
    media_type: str
    size: int  # -1: the site does not tell


class Item(msgspec.Struct, frozen=True):
    """A post as the site's JSON tells it."""

    id: str
    uuid: str
    url: str
    type: str  # "image", "note", "media", "article", …
    owner: str  # uuid of the user
    updated: str  # ISO 8601
    html: str
    tags: str
    attachments: tuple[Attachment, ...]
    read_at: str = ""  # the path under which the site showed it

    def carries(self, key: str) -> bool:
        """Our key is where we put it, not merely quoted."""
        return key in _HIDDEN.findall(self.html) or f"#{key}" in self.tags.replace(",", " ").split()

    def holds(self, name: str) -> bool:
        return any(names.same(name, held.name) for held in self.attachments)

    @property
    def links(self) -> dict[str, str]:
        """The files that its text links, by name: their addresses on the site."""
        urls = [html.unescape(url) for url in _LINK.findall(self.html)]
        return {unquote(urlsplit(url).path.rpartition("/")[2]): url for url in urls}

    def names(self, key: str) -> list[str]:
        """What it holds, as the site calls it: its own files, and those of ours that its text links."""
        return [held.name for held in self.attachments] + [name for name in self.links if names.is_of(name, key)]


def _item(value: Any) -> Item | None:
    if not isinstance(value, dict) or not value.get("id"):
        return None
    actor = value.get("actor")
    tags = value.get("tags") or ""
    attachments = value.get("attachments")
    return Item(
        id=str(value["id"]),
        uuid=str(value.get("uuid", "")),
        url=str(value.get("url", "")),
        type=str(value.get("objectType", "")),
        owner=str(actor.get("uuid", "")) if isinstance(actor, dict) else "",
        updated=str(value.get("updated", "")),
        html=str(value.get("formattedContent", "")),
        tags=" ".join(map(str, tags)) if isinstance(tags, list) else str(tags),
        attachments=tuple(_attachments(attachments if isinstance(attachments, list) else [])),
    )


def _attachments(values: Iterable[Any]) -> Iterable[Attachment]:
    for value in values:
        if isinstance(value, dict):
            path = urlsplit(str(value.get("url", ""))).path
            file_id = re.search(r"/file/([^/]+)", path)
            size = value.get("length")
            yield Attachment(
                name=str(value.get("filename", "")),
                id=file_id[1] if file_id else "",
                media_type=str(value.get("mime-type", "")),
                size=size if isinstance(size, int) else -1,
            )


def user_uuid(client: Client) -> str:
    """Our own user's uuid. Raises Deferred when the site does not take us as signed in."""
    answer = client.get("/currentUser/?_t=json")
    user = answer.get("user")
    uuid = user.get("uuid") if isinstance(user, dict) else None
    if answer.status != 200 or not isinstance(uuid, str) or not urlsplit(uuid).netloc:
        raise _unasked(client, answer)
    return uuid


def _unasked(client: Client, answer: Answer) -> Deferred:
    if answer.status in (403, 404):
        words = f"the site does not accept the user name or the key ({answer.status})"
    else:
        words = f"the site answered {answer.status} without what we asked for" + (
            ": " + (reasons(answer) or "")
        ).rstrip(": ")
    return Deferred(f"{client.site}: {words}", target_down=True)


def read(client: Client, path: str) -> Item | None:
    """One post, as we are allowed to see it; None when it is not there (or hidden from us: the same to the site)."""
    answer = client.get(f"{path}?_t=json")
    if answer.status in (404, 410):
        return None
    item = _item(answer.get("object"))
    if answer.status != 200 or item is None:
        raise _unasked(client, answer)
    return msgspec.structs.replace(item, read_at=path)


def search(client: Client, key: str) -> list[Item]:
    """Every post of ours that carries `key`, the oldest first. Raises Deferred when we can't ask as ourselves."""
    ourselves = user_uuid(client)
    hits: dict[str, Item] = {}
    for page in range(_MOST_PAGES):
        answer = client.get(f"/content/all/?q={key}&_t=json" + (f"&offset={page * _PAGE}" if page else ""))
        items = answer.get("items")
        if answer.status != 200 or not isinstance(items, list):
            raise _unasked(client, answer)
        if not isinstance(answer.get("contentTypes"), dict):
            raise Deferred(f"{client.site}: the search took us for an anonymous reader", target_down=True)
        found = [item for item in map(_item, items) if item]
        hits |= {item.id: item for item in found if item.carries(key) and item.owner == ourselves}
        if len(items) < _PAGE:
            return sorted(hits.values(), key=lambda item: (item.updated, len(item.url), item.url, item.id))
    raise Deferred(f"{client.site}: more than {_MOST_PAGES * _PAGE} posts speak of {key}")


def locate(client: Client, location: str, key: str) -> Item | None:
    """The post that a POST made, by the permalink it answered with, else by its key.

    Slugs race: at `location` somebody else's post may stand. Where the site hides our key (a filter of its own), a
    post of ours with our own files' names is ours too; taking it as such is what keeps us from posting it again.
    """
    there = _at(client, location)
    if there and there.carries(key):
        return there
    found = search(client, key)
    if found:
        return found[0]
    if there and there.owner == user_uuid(client) and any(names.is_of(name, key) for name in there.names(key)):
        return there
    return None


def _at(client: Client, url: str) -> Item | None:
    """The post at a permalink."""
    path = at_home(client, url)
    return read(client, path) if path else None


def at_home(client: Client, url: str) -> str:
    """The path of an address on the site, to be asked for at *our* address: the signature goes nowhere else."""
    base, path = urlsplit(client.site).path.rstrip("/"), urlsplit(url).path
    return "" if base and not path.startswith(base + "/") else path.removeprefix(base)


def permalink(client: Client, item: Item) -> str:
    """The post's own address; by its id where another post has taken the same slug."""
    if item.read_at and item.read_at == at_home(client, item.url):  # a moment ago, so it stands there
        return item.url
    there = _at(client, item.url)
    return item.url if there and there.id == item.id else item.uuid


def find(client: Client, key: str) -> Found:
    """The one post that carries `key`, after our own younger doubles of it were deleted."""
    try:
        items = search(client, key)
        if not items:
            return Absent()
        best = max(items, key=lambda item: len(set(item.names(key))))
        for item in items:
            if item is not best:
                _delete(client, item)
        best = drop_repeats(client, best)
        parts = tuple(names.original(name, key) for name in best.names(key))
        return Receipt(url=permalink(client, best), remote_id=best.id, parts=parts)
    except Deferred as unasked:
        return Unknown(str(unasked))


_DELETE = {"image": "photo", "note": "status", "media": "media", "article": "entry"}


def _delete(client: Client, item: Item) -> None:
    """Deletes a double. The answer is the same whether it went or not, so the site is asked for it after."""
    send_delete(client, item)
    if read(client, f"/view/{item.id}") is not None:
        raise Deferred(f"{client.site}: a second post of the same event, {item.url}, could not be deleted")


def send_delete(client: Client, item: Item) -> None:
    """Asks for it to be deleted. What is answered tells nothing."""
    kind = _DELETE.get(item.type)
    client.post(f"/{kind}/delete/{item.id}" if kind else f"/delete/{item.id}", form({"_t": "json"}))


def drop_repeats(client: Client, item: Item) -> Item:
    """Takes away files that the post holds twice (a site that carried out an edit after we had given up on it)."""
    seen: set[str] = set()
    repeated = []
    for held in item.attachments:
        if held.name in seen and held.id:
            repeated.append(held)
        seen.add(held.name)
    if not repeated:
        return item
    for held in repeated:
        client.post(f"/attachment/{item.id}/{held.id}", form({"_t": "json"}))
    return read(client, f"/view/{item.id}") or item
