"""What the sink remembers of posts, and what it answers: the part of Known that an uploader meets if all goes well."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from tests.doubles.known_http import Request

__all__ = ["KEYS", "SinkSite", "Told"]

#: The users, and what they sign with.
KEYS = {"birdcam": "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj", "ci": "key"}
_TYPES = {"photo": "image", "entry": "article", "status": "note", "media": "media"}
_HTML, _JSON = "text/html; charset=UTF-8", "application/json"
_MADE = "2026-11-23T12:00:00+00:00"


class Told(NamedTuple):
    """One answer."""

    status: int
    body: bytes | Any = b""  # bytes, or a JSON value
    media_type: str = _JSON
    headers: dict[str, str] = {}  # noqa: RUF012  (never changed)
    size: int = 0  # of what is only asked for by HEAD


class Arrival(NamedTuple):
    """A body that has come whole."""

    at: float  # CLOCK_MONOTONIC, which all processes of a machine share
    title: str
    names: list[str]  # of its files
    size: int  # bytes of the body


@dataclass
class _Post:
    number: int
    kind: str
    slug: str
    fields: Mapping[str, str]
    files: list[tuple[str, str, int]]  # name, media type, bytes


@dataclass
class SinkSite:
    """Posts by slug, sizes of files by id. Threads share it."""

    url: str
    posts: dict[str, _Post] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    _slugs: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, target: str, headers: Mapping[str, str], kept: bytes, length: int) -> Told:
        """`kept`: the body, or the beginning and the end of one that was `length` bytes long."""
        path, _, query = target.partition("?")
        if method == "POST":
            return self._post(path, target, headers, kept, length)
        if path == "/-/count":
            return Told(200, len(self.arrivals))
        if path == "/-/arrivals":
            return Told(200, self.arrivals[int(query or 0) :])
        if path.startswith("/file/"):
            return self._file(path.split("/")[2])
        signed = self._signed(target, headers)
        if path == "/currentUser/":
            return Told(200, {"user": self._person()}) if signed else Told(404, {"title": "", "messages": []})
        if path.startswith("/content/"):
            return Told(200, self._found(parse_qs(query).get("q", [""])[0], signed))
        post = self._by_path(path)
        return Told(200, self._page(post)) if post else Told(410, {"title": "", "messages": []})

    # --- writing ------------------------------------------------------------------------------------------------------

    def _post(self, path: str, target: str, headers: Mapping[str, str], kept: bytes, length: int) -> Told:
        at = time.monotonic()
        request = Request("POST", target, dict(headers))
        if path != "/raw":  # bytes that are no form
            request.read_form(kept)
        files = [(file.name, file.media_type, len(file.content) + length - len(kept)) for file in request.files]
        edit = re.fullmatch(r"/+(photo|entry|status|media)/edit(?:/([\w-]+))?", path)
        if (edit or path == "/micropub/endpoint") and not self._signed(target, headers):
            return Told(403, {"title": "", "messages": []})
        title = request.fields.get("title", "")
        self.arrivals.append(Arrival(at, title, [name for name, _, _ in files], length))
        if path == "/micropub/endpoint":
            return self._kept(files)
        if not edit:
            return Told(200, {})  # somebody else's way of posting
        if edit[1] in ("photo", "media") and not files:
            return Told(500, {"exception": {"class": "TypeError", "message": "array_filter()"}})
        post = self._save(edit[1], edit[2], request.fields, [file for file in files if file[0]])
        return Told(200, {"location": f"{self.url}/2026/{post.slug}?_t=json"}, _HTML)

    def _kept(self, files: list[tuple[str, str, int]]) -> Told:
        if not files:
            return Told(500, {"exception": {"class": "Error", "message": "Object of class Idno\\Core\\Language"}})
        name = secrets.token_hex(16)
        self.files[name] = files[0][2]
        url = f"{self.url}/file/{name}"
        return Told(201, {"url": url}, _HTML, {"Location": url})

    def _save(self, kind: str, number: str | None, fields: Mapping[str, str], files: list[Any]) -> _Post:
        with self._lock:
            old = next((post for post in self.posts.values() if str(post.number) == number), None) if number else None
            if old:
                old.fields, old.files = fields, old.files + files
                return old
            slug = re.sub(r"[^\w-]+", "-", fields.get("title", "").lower()).strip("-") or "untitled"
            again = self._slugs[slug] = self._slugs.get(slug, -1) + 1
            slug += f"-{again}" if again else ""
            post = self.posts[slug] = _Post(len(self.posts) + 1, _TYPES[kind], slug, fields, files)
            return post

    def _signed(self, target: str, headers: Mapping[str, str]) -> bool:
        key = KEYS.get(headers.get("x-known-username", "").lower())
        if key is None:
            return False
        digest = hmac.digest(key.encode(), target.encode("latin-1"), hashlib.sha256)
        return base64.b64encode(digest).decode() == headers.get("x-known-signature")

    # --- reading ------------------------------------------------------------------------------------------------------

    def _file(self, name: str) -> Told:
        size = self.files.get(name)
        return Told(404) if size is None else Told(200, media_type="application/octet-stream", size=size)

    def _by_path(self, path: str) -> _Post | None:
        place, _, name = path.lstrip("/").partition("/")
        if place == "view":
            return next((post for post in self.posts.values() if str(post.number) == name), None)
        return self.posts.get(name)

    def _found(self, query: str, signed: bool) -> dict[str, Any]:
        hits = [post for post in list(self.posts.values()) if query in f"{post.fields.get('body')}"]
        return {
            "items": [self._thing(post) for post in hits[:10]],
            "contentTypes": {} if signed else False,
            "count": len(hits),
        }

    def _person(self) -> dict[str, Any]:
        return {
            "id": "1",
            "uuid": f"{self.url}/view/me",
            "content": "",
            "formattedContent": "",
            "displayName": "Bird Cam",
            "objectType": "person",
            "url": f"{self.url}/profile/birdcam",
            "image": {"url": f"{self.url}/gfx/users/default-04.png"},
        }

    def _page(self, post: _Post) -> dict[str, Any]:
        title, body = post.fields.get("title", ""), post.fields.get("body", "")
        whole = {"object": self._thing(post), "user": self._person(), "title": title, "description": body}
        return {**whole, "messages": [], "csrf": []}

    def _thing(self, post: _Post) -> dict[str, Any]:
        body = post.fields.get("body", "")
        value: dict[str, Any] = {
            "id": str(post.number),
            "uuid": f"{self.url}/view/{post.number}",
            "content": re.sub(r"<[^>]*>", "", body),
            "formattedContent": body and f"\n<p>{body}</p>\n",
            "displayName": post.fields.get("title") or "Untitled",
            "objectType": post.kind,
            "published": _MADE,
            "updated": _MADE,
            "url": f"{self.url}/2026/{post.slug}",
            "actor": self._person(),
        }
        if tags := post.fields.get("tags"):
            value["tags"] = tags
        if post.files:
            value["attachments"] = [
                {"filename": name, "url": f"{self.url}/file/{number:032x}/{name}", "mime-type": kind, "length": size}
                for number, (name, kind, size) in enumerate(post.files)
            ]
        if post.kind == "image":
            value["thumbnails"] = []
        return value
