"""A timeline on disk: where each post stands, in which order files are written, and what a killed try leaves behind.

::

    feed.json   index.html     the newest posts, 50 to 99 of them
    feed-N.json page-N.html    50 older posts each; written once, touched again only when a post on it is revised
    media/KEY/NAME             the files of a post
    posts/XX/KEY.json          a marker: where to start looking for the post, and a copy of it
    page.css .lock

The feeds are the truth, and each is written after everything that it speaks of: media, marker, page, feed. So nothing
counts until feed.json is in place. A try that was killed before has posted nothing, and the next one writes the same
files again. When feed.json would hold 100 posts, the oldest 50 first get a page of their own, in the same order.

Adding costs the same at any length: one marker, one page, one feed. A post that has left feed.json is found by its
marker, which names the first page that can hold it; nearly always it is that one.

A feed that is lost or damaged is set aside (`feed.json.damaged-…`) and made anew out of the markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import tzinfo
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from mediaagent.api import Post, PostPart, Text, readable_size

from . import files
from .feed import Feed, Held, Item, item_of
from .names import clean, file_names, slug
from .render import anchor, style
from .shelf import Shelf, content_of, in_order, page_name

__all__ = ["FULL", "NotOurs", "PartLost", "PartUnreadable", "Timeline", "Vanished"]

#: Posts on an older page. The newest page holds at least as many, once there are, and less than twice as many.
FULL = 50
#: Where these are without `posts`, the folder is somebody else's.
_OURS = {"index.html", "feed.json", "media", "page.css"}


class Vanished(Exception):
    """The folder was there, or the one that it should be made in, and is not."""


class NotOurs(Exception):
    """The folder has a page of somebody else's."""


class PartUnreadable(Exception):
    """A file of the post itself could not be opened."""


class PartLost(Exception):
    """A file of the post is gone, and the page does not show it either."""


class Timeline:
    """One folder with a timeline in it."""

    def __init__(self, folder: Path, title: str, zone: tzinfo | None = None) -> None:
        self.folder = folder.absolute()
        self._zone = zone
        self._shelf = Shelf(self.folder, clean(title), zone)
        self._device: int | None = None  # of the folder, since we know that it is there

    def put(self, post: Post, key: str) -> tuple[Post, str]:
        """Shows the post under this key, in place of what was there; tells it as it is shown, and its URL.

        A part whose own file is gone keeps the one that is shown already. Raises OSError, LockTimeout, and this
        module's errors.
        """
        self._enter()
        post, held = self._media_of(post, key)
        item = item_of(post, key, held, self._zone)
        with files.lock(self.folder / ".lock"):
            newest = self._shelf.newest()
            page = self._shelf.page_with(item.id, newest)
            self._shelf.mark(item, first_page=page or newest.older + 1)
            page = self._add(item, newest) if page is None else self._change(item, page, newest)
        files.tidy(self._media(item.slug), {attachment.file for attachment in item.attachments})
        return post, self._url(page, item)

    def get(self, key: str) -> tuple[Item, str] | None:
        """The post with this key and its URL, or None when it isn't shown. Raises like `put`."""
        if not self._exists() or not (self.folder / "posts").exists():
            return None
        with files.lock(self.folder / ".lock"):
            newest = self._shelf.newest()
            page = self._shelf.page_with(clean(key), newest)
            if page is None:
                return None
            items = newest.items if page == 0 else self._shelf.older(page).items
        item = next(item for item in items if item.id == clean(key))
        return item, self._url(page, item)

    def held(self, item: Item) -> tuple[str, ...]:
        """The names of the parts whose files are there, whole."""
        folder = self._media(item.slug)
        return tuple(part.title for part in item.attachments if _size(folder / part.file) == part.size_in_bytes)

    def _add(self, item: Item, newest: Feed) -> int:
        items, older, page = in_order([*newest.items, item]), newest.older, 0
        while len(items) >= 2 * FULL:
            items, oldest = items[:-FULL], items[-FULL:]
            older += 1
            self._shelf.write(older, oldest, older - 1)
            page = older if item in oldest else page
        self._shelf.write(0, items, older)
        return page

    def _change(self, item: Item, page: int, newest: Feed) -> int:
        feed = self._shelf.older(page) if page else newest
        self._shelf.write(page, (item if there.id == item.id else there for there in feed.items), feed.older)
        return page

    def _exists(self) -> bool:
        try:
            device = self.folder.stat().st_dev
        except (FileNotFoundError, NotADirectoryError):
            if self._device is not None or not self.folder.parent.is_dir():
                raise Vanished from None
            return False
        # A mount point is still a folder when its disk has gone.
        if self._device not in (None, device) and not (self.folder / "feed.json").exists():
            raise Vanished
        self._device = device
        return True

    def _enter(self) -> None:
        if not self._exists():
            files.folder_at(self.folder)
            self._exists()
        with files.lock(self.folder / ".lock"):
            if not (self.folder / "posts").exists():
                self._found()
            files.folder_at(self.folder / "media")
            if content_of(self.folder / "page.css") != style():
                files.write(self.folder / "page.css", style())

    def _found(self) -> None:
        there = {path.name for path in self.folder.iterdir()} - {".lock"}
        if there & _OURS:
            raise NotOurs(min(there & _OURS))
        if not there:
            with suppress(PermissionError):  # not our folder, or a file system without rights
                self.folder.chmod(0o700)
        files.folder_at(self.folder / "posts")  # from now on it is ours

    def _media(self, name: str) -> Path:
        return self.folder / "media" / name

    def _media_of(self, post: Post, key: str) -> tuple[Post, list[Held]]:
        """The post without what is nowhere any more, and the files of its parts, copied or left where they are."""
        gone = {part.name for part in post.parts if _size(part.file) is None}
        shown = self.get(key) if gone else None
        kept = self._kept(shown[0], gone) if shown else {}
        if shown or post.kind == "entry":
            post = _without(post, gone - kept.keys())
        copied = self._copied([part for part in post.parts if part.name not in kept], key, kept.values())
        return post, [kept.get(part.name) or copied[part.name] for part in post.parts]

    def _kept(self, item: Item, names: set[str]) -> dict[str, Held]:
        """Those of these parts whose files are shown."""
        whole = set(self.held(item))
        held = {each.title: Held(each.file, each.size_in_bytes) for each in item.attachments if each.title in whole}
        return {name: held[clean(name)] for name in names if clean(name) in held}

    def _copied(self, parts: Sequence[PostPart], key: str, kept: Iterable[Held]) -> dict[str, Held]:
        if not parts:
            return {}
        folder = files.folder_at(self._media(slug(clean(key))))
        names = file_names((part.name for part in parts), (held.file for held in kept))
        copied = {}
        for part, name in zip(parts, names, strict=True):
            with _opened(part.file) as source:
                copied[part.name] = Held(name, files.copied(source, folder / name))
        return copied

    def _url(self, page: int, item: Item) -> str:
        return f"{(self.folder / page_name(page)).as_uri()}#{anchor(item)}"


def _without(post: Post, lost: set[str]) -> Post:
    """A long post goes on without a file that is neither here nor on the page, and says so."""
    if not lost:
        return post
    if post.kind != "entry":
        raise PartLost(", ".join(sorted(lost)))
    gone = [part for part in post.parts if part.name in lost]
    why = "its file is gone, here and on the page"
    said = "\n".join(f"Left out: {part.name} ({readable_size(part.size)}): {why}" for part in gone)
    parts = tuple(part for part in post.parts if part.name not in lost)
    return replace(post, parts=parts, body=(*post.body, Text(said)))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise PartUnreadable(f"{path}: {error.strerror}") from error
    with file:
        yield file
