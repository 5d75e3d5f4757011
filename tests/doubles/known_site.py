"""What a Known 1.6.2 site remembers: users, posts, files; who may see what, and what the search finds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from tests.doubles.known_http import Request

_Item = TypeVar("_Item")


class Refused(Exception):
    """A 400 with these messages."""


@dataclass
class User:
    handle: str
    key: str
    email: str = ""
    name: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class StoredFile:
    name: str
    media_type: str
    content: bytes
    width: int = 0
    height: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sent: bytes = b""  # as it arrived; the site re-encodes JPEGs

    def __post_init__(self) -> None:
        self.sent = self.sent or self.content


@dataclass
class StoredPost:
    kind: str  # "image", "note", "media", "article"
    owner: User
    title: str = ""
    body: str = ""
    tags: str | list[str] = ""
    access: str = "PUBLIC"
    slug: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    files: list[StoredFile] = field(default_factory=list)
    syndication: list[str] = field(default_factory=list)  # accounts that it was passed on to
    in_reply_to: list[str] = field(default_factory=list)
    detached: list[StoredFile] = field(default_factory=list)  # gone, but their thumbnails are not
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]


@dataclass
class Limits:
    """PHP's and nginx's, in bytes."""

    upload_max_filesize: int = 1_000_000_000
    post_max_size: int = 1_000_000_000
    client_max_body_size: int = 1_000_000_000


STOCK = Limits(2 * 2**20, 8 * 2**20, 20 * 2**20)
SEARCH_PAGE = 10


class _Index(Generic[_Item]):
    """Finds the first of a list's items by a key, however long the list is, and follows it as it grows or shrinks."""

    def __init__(self, key: Callable[[_Item], str]) -> None:
        self._key, self._of = key, dict[str, _Item]()
        self._seen, self._last = 0, list[_Item]()  # so many, and the last of them

    def of(self, items: list[_Item]) -> dict[str, _Item]:
        if self._seen > len(items) or any(items[self._seen - 1] is not last for last in self._last):
            self._of, self._seen = {}, 0
        for item in items[self._seen :]:
            self._of.setdefault(self._key(item), item)
        self._seen, self._last = len(items), items[-1:]
        return self._of


@dataclass
class Site:
    """The memory of one site. Hold `lock` while reading or changing it."""

    users: list[User]
    url: str = ""  # as configured; may differ from the address used
    limits: Limits = field(default_factory=Limits)
    plugins: set[str] = field(default_factory=lambda: {"status", "photo", "entry", "indiepub"})  # "media" is off
    writable: bool = True  # the disk that files go to
    three_byte_database: bool = True
    hides_spans: bool = False  # some filter on the site takes our hidden marks out
    services: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # "webhooks" -> (user name, name)
    posts: list[StoredPost] = field(default_factory=list)
    loose: list[StoredFile] = field(default_factory=list)  # files of no post
    lock: threading.RLock = field(default_factory=threading.RLock)
    _ids: _Index[StoredPost] = field(default_factory=lambda: _Index(lambda post: post.id))
    _slugs: _Index[StoredPost] = field(default_factory=lambda: _Index(lambda post: post.slug))
    _files: _Index[StoredFile] = field(default_factory=lambda: _Index(lambda file: file.id))

    def signed_in(self, request: Request) -> User | None:
        """The user who signed this request; None for a stranger."""
        name, given = request.headers.get("x-known-username", ""), request.headers.get("x-known-signature", "")
        for user in self.users:
            if name.lower() in (user.handle, user.email.lower()):
                digest = hmac.new(user.key.encode(), request.target.encode("latin-1"), hashlib.sha256).digest()
                return user if hmac.compare_digest(base64.b64encode(digest).decode(), given) else None
        return None

    def uuid(self, user_or_post: User | StoredPost) -> str:
        return f"{self.url}/view/{user_or_post.id}"

    def sees(self, reader: User | None, post: StoredPost) -> bool:
        if post.access == "SITE":
            return reader is not None
        return post.access == "PUBLIC" or (reader is post.owner and post.access == self.uuid(post.owner))

    def by_id(self, post_id: str) -> StoredPost | None:
        return self._ids.of(self.posts).get(post_id)

    def by_slug(self, slug: str) -> StoredPost | None:
        return self._slugs.of(self.posts).get(slug)

    def file(self, file_id: str) -> StoredFile | None:
        loose = self._files.of(self.loose).get(file_id)
        return loose or next((file for post in self.posts for file in post.files if file.id == file_id), None)

    def add(self, post: StoredPost, *, race: bool = False) -> None:
        """Takes a post in, under a slug of its own; with `race` under the slug that another one has already."""
        slug = _slug(post.title or ("untitled" if post.kind in ("image", "media") else post.body))
        taken, wanted, number = self._slugs.of(self.posts), slug, 0
        while slug in taken and not race:
            number += 1
            slug = f"{wanted}-{number}"
        post.slug = slug
        self.posts.append(post)

    def search(self, reader: User | None, query: str, kind: str = "") -> list[StoredPost]:
        """Newest first, as the lists have them."""
        hits = [post for post in self.posts if self.sees(reader, post) and kind in ("", post.kind)]
        if query:
            hits = [post for post in hits if _matches(query, post)]
        return _newest_first(hits)

    def tagged(self, reader: User | None, tag: str) -> list[StoredPost]:
        """The posts with a hashtag."""
        wanted = re.compile(rf"#{re.escape(tag)}\b", re.IGNORECASE)
        return [post for post in self.search(reader, "") if wanted.search(_text(post))]


def _newest_first(posts: list[StoredPost]) -> list[StoredPost]:
    return sorted(posts, key=lambda post: post.created.replace(microsecond=0), reverse=True)


def _slug(title: str) -> str:
    plain = re.sub(r"<[A-Za-z/][^>]*>", "", title.strip()).lower()
    plain = re.sub(r"[^\w\- ]", "", plain)
    return "-".join(re.split(r" +", plain)[:10])[:235]


def _text(post: StoredPost) -> str:
    """What is searched; tags that came as `tags[]` are not."""
    return f"{post.title} {post.body} {post.tags if isinstance(post.tags, str) else ''}"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"<!--.*?-->|<[A-Za-z/][^>]*>", " ", text, flags=re.DOTALL).lower())


def _matches(query: str, post: StoredPost) -> bool:
    """Up to five characters by LIKE, else MySQL's boolean full text, in which a hyphen means "not"."""
    text = _text(post)
    if len(query) <= 5:
        return query.lower() in text.lower()
    words, terms = set(_words(text)), query.lower().replace("#", "").split()
    if any("-" in term for term in terms):
        return False
    wanted = [term for term in terms if term.startswith("+")]
    if wanted:
        return all(term.lstrip("+") in words for term in wanted)
    return any(term in words for term in terms)
