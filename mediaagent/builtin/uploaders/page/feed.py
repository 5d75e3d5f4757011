"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/) as this timeline writes it: values and their bytes.

What the standard has no word for stands under `_mediaagent`, as it asks of extensions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import unquote

import msgspec

from mediaagent.api import Link, Post, Pre

from .names import clean, slug, url_of

__all__ = ["Attachment", "Block", "Feed", "Held", "Item", "Marker", "decode", "encode", "item_of"]


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a body, as plain text; a link has a `url`."""

    kind: Literal["text", "pre", "link"]
    text: str
    url: str = ""


class AboutFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a JSON Feed attachment has no field for."""

    role: str
    text: str  # alternative text


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a post; `url` is relative to the feed."""

    url: str
    mime_type: str
    title: str  # the part's own name
    size_in_bytes: int
    about: AboutFile = msgspec.field(name="_mediaagent")

    @property
    def file(self) -> str:
        """Its name in the post's media folder."""
        return unquote(self.url.rpartition("/")[2])


class Held(NamedTuple):
    """A file in the post's media folder."""

    file: str
    size: int


class AboutPost(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a JSON Feed item has no field for."""

    source: str
    key: str  # the event's
    kind: str
    revision: int
    access: str
    body: list[Block]
    again: int = 0  # so many blocks of the body, the first ones, say that it came again


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One post."""

    id: str  # the delivery's key
    title: str
    content_text: str
    date_published: datetime
    tags: list[str]
    attachments: list[Attachment]
    about: AboutPost = msgspec.field(name="_mediaagent")

    @property
    def slug(self) -> str:
        return slug(self.id)


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the timeline; `next_url` leads to the next older one."""

    version: str = "https://jsonfeed.org/version/1.1"
    title: str
    home_page_url: str
    feed_url: str
    next_url: str | msgspec.UnsetType = msgspec.UNSET
    items: list[Item]

    @property
    def older(self) -> int:
        """The number of the next older page; 0: there is none."""
        found = _NEXT.fullmatch(self.next_url or "")
        return int(found[1]) if found else 0


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look for a post that is not among the newest, and what it is, should a feed be damaged."""

    first_page: int  # no older page than this can hold it
    item: Item


_NEXT = re.compile(r"feed-(\d+)\.json")
_F = TypeVar("_F", Feed, Marker)


def encode(value: Feed | Marker) -> bytes:
    """The bytes of a file; indented, for people read them too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def decode(content: bytes, kind: type[_F]) -> _F:
    """Raises msgspec.DecodeError or UnicodeDecodeError when it is not what we write."""
    return msgspec.json.decode(content, type=kind)


def item_of(post: Post, key: str, held: Sequence[Held], zone: tzinfo | None) -> Item:
    """A post as an item; `held`: the file of each part. `zone` None: this machine's."""
    ident = clean(key)
    return Item(
        id=ident,
        title=clean(post.title),
        content_text=clean(post.text),
        date_published=post.happened_at.astimezone(zone),
        tags=[clean(tag) for tag in post.tags],
        attachments=_attachments(post, slug(ident), held),
        about=AboutPost(
            source=clean(post.source),
            key=clean(post.key),
            kind=post.kind,
            revision=post.revision,
            access=post.access,
            body=[_block(block) for block in post.body],
            again=_again(post),
        ),
    )


def _attachments(post: Post, folder: str, held: Sequence[Held]) -> list[Attachment]:
    return [
        Attachment(
            url=url_of("media", folder, file),
            mime_type=clean(part.media_type),
            title=clean(part.name),
            size_in_bytes=size,
            about=AboutFile(role=clean(part.role), text=clean(part.text)),
        )
        for part, (file, size) in zip(post.parts, held, strict=True)
    ]


def _again(post: Post) -> int:
    """How many blocks the core put first: the count, and a link if there is one."""
    return 1 + bool(post.seen.link) if post.seen else 0


def _block(block: object) -> Block:
    if isinstance(block, Link):
        return Block("link", clean(block.text), clean(block.url))
    if isinstance(block, Pre):
        return Block("pre", clean(block.text))
    return Block("text", clean(getattr(block, "text", "")))
