"""Pages as HTML: valid, readable without scripts, everything escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .feed import Attachment, Feed, Item

__all__ = ["anchor", "page_html", "style"]

_TEMPLATES = Path(__file__).parent / "templates"

#: What every current browser shows by itself; everything else becomes a link.
_PICTURES = {"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/svg+xml", "image/bmp"}
_SOUNDS = {"audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/opus", "audio/webm", "audio/flac", "audio/wav"}
_SOUNDS |= {"audio/x-wav", "audio/vnd.wave", "audio/x-m4a", "audio/x-flac", "audio/mp3"}
_MOVIES = {"video/mp4", "video/webm", "video/ogg", "video/quicktime", "video/x-m4v"}
_ADDRESS = re.compile(r"https?://[^\s<>\"'“”]*[^\s<>\"'“”.,;:!?()\[\]{}]")
_ANCHOR = Markup('<a href="{}" rel="noopener noreferrer">{}</a>')
_LINKABLE = re.compile(r"(https?://|mailto:)", re.IGNORECASE)


class Shown(NamedTuple):
    """A post's attachments by how they are shown."""

    pictures: list[Attachment]
    movies: list[Attachment]
    sounds: list[Attachment]
    files: list[Attachment]


def anchor(item: Item) -> str:
    """The fragment under which a post stands on its page."""
    return f"post-{item.slug}"


def page_html(feed: Feed, page: int, older: str, zone: tzinfo | None) -> bytes:
    """One page. `page` 0 is the newest; `older` is the name of the next older page; `zone` None: this machine's."""

    def day(item: Item) -> str:
        local = item.date_published.astimezone(zone)
        return f"{local:%A}, {local.day} {local:%B %Y}"

    days = [(name, list(items)) for name, items in groupby(feed.items, day)]
    html = _environment().get_template("page.html").render(feed=feed, page=page, older=older, days=days, zone=zone)
    return html.encode("utf-8", "backslashreplace")


@cache
def style() -> bytes:
    """The style sheet of all pages."""
    return (_TEMPLATES / "page.css").read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"anchor": anchor, "size": readable_size, "clock": clock, "paragraphs": paragraphs}
    environment.filters["linked"] = linked
    environment.tests["linkable"] = lambda url: bool(_LINKABLE.match(url))
    environment.globals["sorted_out"] = sorted_out
    return environment


def sorted_out(attachments: Sequence[Attachment]) -> Shown:
    """Each attachment in the group that it is shown in."""
    shown = Shown([], [], [], [])
    for attachment in attachments:
        for group, types in zip(shown, (_PICTURES, _MOVIES, _SOUNDS), strict=False):
            if attachment.mime_type.partition(";")[0].strip().lower() in types:
                group.append(attachment)
                break
        else:
            shown.files.append(attachment)
    return shown


def readable_size(size: int) -> str:
    """Bytes in the unit that people use.

    >>> readable_size(0), readable_size(999), readable_size(23_998), readable_size(2_400_000_000)
    ('0 B', '999 B', '24 kB', '2.4 GB')
    """
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1_000_000_000 else f"{size / 1e9:.1f} GB"


def clock(moment: datetime, zone: tzinfo | None) -> str:
    """Time of day with its zone.

    >>> from datetime import timedelta, timezone
    >>> clock(datetime.fromisoformat("2026-11-23T07:14:03+00:00"), timezone(timedelta(hours=1)))
    '08:14 UTC+01:00'
    """
    local = moment.astimezone(zone)
    name = local.tzname() or ""
    return f"{local:%H:%M} {'UTC' if name[:1] in ('+', '-') else ''}{name}"


def paragraphs(text: str) -> list[list[str]]:
    """Paragraphs of lines.

    >>> paragraphs("a\\nb\\n\\n\\nc")
    [['a', 'b'], ['c']]
    """
    return [block.split("\n") for block in re.split(r"\n{2,}", text.strip("\n")) if block.strip()]


def linked(text: str) -> Markup:
    """Plain text in which addresses of the web are links.

    >>> str(linked("<b> at https://a.example/?x=1&y=2."))
    '&lt;b&gt; at <a href="https://a.example/?x=1&amp;y=2" rel="noopener noreferrer">https://a.example/?x=1&amp;y=2</a>.'
    """
    made, end = Markup(), 0
    for address in _ADDRESS.finditer(text):
        made += text[end : address.start()]
        made += _ANCHOR.format(address[0], address[0])
        end = address.end()
    return made + text[end:]
