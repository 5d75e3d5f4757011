"""The files of a timeline: pages with their feeds, markers, and how one is made anew out of the others."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from pathlib import Path

import msgspec

from . import files
from .feed import Feed, Item, Marker, decode, encode
from .names import slug
from .render import page_html

__all__ = ["Shelf", "content_of", "in_order", "page_name"]

_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError)
#: Which posts a page shows, by its own HTML.
_SHOWN = re.compile(r'<article id="post-([A-Za-z0-9._-]+)"')


class Shelf:
    """Page 0 is the newest; page 1 the oldest, then upwards."""

    def __init__(self, folder: Path, title: str, zone: tzinfo | None) -> None:
        self.folder = folder
        self._title = title
        self._zone = zone

    def write(self, page: int, items: Iterable[Item], older: int) -> None:
        """The page first, then the feed that makes it count."""
        feed = Feed(
            title=self._title,
            home_page_url="index.html",
            feed_url=feed_name(page),
            next_url=feed_name(older) if older else msgspec.UNSET,
            items=in_order(items),
        )
        files.write(self.folder / page_name(page), page_html(feed, page, page_name(older) if older else "", self._zone))
        files.write(self.folder / feed_name(page), encode(feed))

    def newest(self) -> Feed:
        """The newest posts. A feed that is lost or damaged is made anew: whatever no older page shows belongs in it."""
        feed = self._read(0)
        if feed is None:
            pages = self._pages()
            shown = {item.id for page in pages for item in self.older(page).items}
            self.write(0, (item for item in self._marked() if item.id not in shown), max(pages, default=0))
            feed = self._read(0)
        assert feed is not None
        return feed

    def older(self, page: int) -> Feed:
        """An older page. A feed that is lost or damaged is made anew out of what its page shows."""
        feed = self._read(page)
        if feed is None:
            html = content_of(self.folder / page_name(page)) or b""
            shown = _SHOWN.findall(html.decode(errors="replace"))
            if not shown:  # its owner removed the page
                return Feed(title="", home_page_url="", feed_url="", items=[])
            self.write(page, self._marked(self.marker(name) for name in shown), page - 1)
            feed = self._read(page)
        assert feed is not None
        return feed

    def page_with(self, key: str, newest: Feed) -> int | None:
        """Where a post stands; None: nowhere."""
        if any(item.id == key for item in newest.items):
            return 0
        marker = content_of(self.marker(slug(key)))
        if marker is None:
            return None
        for page in range(_first_page(marker), newest.older + 1):
            if any(item.id == key for item in self.older(page).items):
                return page
        return None  # a try that was killed between its marker and its feed

    def marker(self, name: str) -> Path:
        """The marker of a post; spread over 256 folders, as some file systems search a folder name by name."""
        return self.folder / "posts" / hashlib.sha256(name.encode()).hexdigest()[:2] / f"{name}.json"

    def mark(self, item: Item, first_page: int) -> None:
        path = self.marker(item.slug)
        files.folder_at(path.parent)
        files.write(path, encode(Marker(first_page=first_page, item=item)))

    def _read(self, page: int) -> Feed | None:
        path = self.folder / feed_name(page)
        content = content_of(path)
        if content is None:
            return None
        try:
            return decode(content, Feed)
        except _DAMAGED:
            path.replace(path.with_name(f"{path.name}.damaged-{time.time_ns()}"))
            return None

    def _pages(self) -> list[int]:
        found = (re.fullmatch(r"feed-([1-9]\d*)\.json", path.name) for path in self.folder.iterdir())
        return [int(match[1]) for match in found if match]

    def _marked(self, markers: Iterable[Path] | None = None) -> Iterator[Item]:
        """What the markers say; of all of them, or of these."""
        for path in self.folder.glob("posts/??/[!.]*.json") if markers is None else markers:
            try:
                yield decode(content_of(path) or b"", Marker).item
            except _DAMAGED:
                continue  # what can't be read can't be shown; its media stay


def feed_name(page: int) -> str:
    return f"feed-{page}.json" if page else "feed.json"


def page_name(page: int) -> str:
    return f"page-{page}.html" if page else "index.html"


def in_order(items: Iterable[Item]) -> list[Item]:
    """The newest first."""
    return sorted(items, key=lambda item: (item.date_published, item.id), reverse=True)


def content_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _first_page(marker: bytes) -> int:
    try:
        return max(1, decode(marker, Marker).first_page)
    except _DAMAGED:
        return 1
