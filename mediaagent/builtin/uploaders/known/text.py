"""Turns a post's words into what Known shows unchanged.

Known prints the body of a photo as raw HTML, so it is escaped here; the body of a status it escapes itself (known
1.6.2, observed), so it is not. Titles are plain text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import msgspec

from mediaagent.api import Link, Post, Pre, Text

__all__ = [
    "Enclosure",
    "answering",
    "entry_body",
    "four_bytes",
    "hashtags",
    "media_body",
    "photo_body",
    "status_body",
    "title",
    "with_entities",
    "without_four_bytes",
]


def photo_body(blocks: Sequence[Text | Pre | Link | Enclosure], key: str) -> str:
    """The blocks as HTML, and `key` where the site's search sees it and a reader does not.

    >>> photo_body([Text("1 < 2")], "ma_1f")
    '1 &lt; 2 <span hidden>ma_1f</span>'
    """
    told = "\n\n".join(_html(block) for block in blocks)
    return f"{told} <span hidden>{key}</span>".lstrip(" ")


def answering(post: Post) -> list[Text | Pre | Link]:
    """The blocks of a kind that has no field for what it answers, with links to that."""
    return [*post.body, *(Link("In reply to " + url, url) for url in post.reply_to)]


class Enclosure(msgspec.Struct, frozen=True):
    """A file that a text links."""

    name: str
    url: str
    note: str = ""


def media_body(blocks: Sequence[Text | Pre | Link], links: Iterable[Enclosure], key: str) -> str:
    """The same for a recording, with links to the files that came along."""
    return photo_body([*blocks, *links], key)


def entry_body(blocks: Sequence[Text | Pre | Link], links: Iterable[Enclosure], key: str) -> str:
    """The same for a long post.

    The site shows it through HTML Purifier, which knows no `hidden` and takes it away (4.17; so the site's JSON still
    has it); a font of no size it leaves.

    >>> entry_body([], [Enclosure("core.gz", "https://x.org/file/1f/core.gz", "1 kB")], "ma_1f")
    '<a href="https://x.org/file/1f/core.gz">core.gz</a> (1 kB) <span hidden style="font-size:0">ma_1f</span>'
    """
    told = media_body(blocks, links, key)
    return told.replace(f"<span hidden>{key}</span>", f'<span hidden style="font-size:0">{key}</span>')


def _html(block: Text | Pre | Link | Enclosure) -> str:
    if isinstance(block, Enclosure):
        shown = html.escape(clean(block.name), quote=False).replace("#", "&#35;")
        return f'<a href="{html.escape(block.url)}">{shown}</a>' + (f" ({block.note})" if block.note else "")
    if isinstance(block, Text):
        return html.escape(clean(block.text), quote=False)
    if isinstance(block, Pre):
        # no real line break inside, which the site would make a <br>; no "#" that it would make a tag of
        text = html.escape(clean(block.text), quote=False)
        return "<pre>" + text.replace("#", "&#35;").replace("\n", "&#10;") + "</pre>"
    if urlsplit(block.url).scheme not in ("http", "https", "mailto"):
        return html.escape(clean(f"{block.text}: {block.url}"), quote=False)
    return f'<a href="{html.escape(clean(block.url))}">{html.escape(clean(block.text), quote=False)}</a>'


def status_body(post: Post) -> str:
    """Title and text, plain: the site escapes them and makes links of addresses."""
    return clean("\n\n".join(part for part in (post.title.strip(), post.text.strip()) if part))


def title(post: Post) -> str:
    """The title on one line."""
    return " ".join(clean(post.title).split())


def hashtags(tags: Sequence[str]) -> str:
    """`#words` of the only characters that the site takes in a tag.

    >>> hashtags(["bird", "Vögel im Garten", "bird", "🐦"])
    '#bird #Vogel_im_Garten'
    """
    words = [_tag(tag) for tag in tags]
    return " ".join(f"#{word}" for word in dict.fromkeys(words) if word)


def _tag(tag: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", tag).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "_", ascii_only).strip("_")


def clean(text: str) -> str:
    """Text that is UTF-8 for sure, without control characters (the site drops NUL and refuses bad UTF-8)."""
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def four_bytes(text: str) -> bool:
    """It holds characters that a database of MySQL's three-byte utf8 refuses (most emoji)."""
    return any(ord(c) > 0xFFFF for c in text)


def with_entities(text: str) -> str:
    """Those characters as numeric entities, which the site shows as the characters in bodies of every kind.

    >>> with_entities("a 🐦")
    'a &#128038;'
    """
    return "".join(f"&#{ord(c)};" if ord(c) > 0xFFFF else c for c in text)


def without_four_bytes(text: str) -> str:
    """Those characters left out; for titles, where an entity would be read as it stands.

    >>> without_four_bytes("🐦 robin 🐦 at 8")
    'robin at 8'
    """
    return " ".join("".join(c for c in text if ord(c) <= 0xFFFF and c not in "\ufe0f\u200d").split())
