"""Single requests for somebody at the keyboard, and what the answers mean."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from mediaagent.api import Deferred, Rejected
from mediaagent.builtin.uploaders.known import finding
from mediaagent.builtin.uploaders.known.answers import Answer, reasons
from mediaagent.builtin.uploaders.known.body import Body, FilePart, form, parts
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.finding import Item

__all__ = ["Account", "Desk"]

#: Answers of a site, or of what stands in front of it, that may be others a minute later.
_NOT_NOW = (408, 425, 429, 502, 503, 504)
#: What each of these kinds of post may be passed on to stands in its form.
_KINDS = {"status": "Status", "entry": "Text", "photo": "Photo", "media": "Media"}


class Account(Struct, frozen=True):
    """An account elsewhere that the site passes posts on to."""

    service: str
    user: str
    name: str

    @property
    def word(self) -> str:
        """As it is written in `syndicate`."""
        return f"{self.service}::{self.user}"


class Desk:
    """One user's errands at one site. Everything raises Deferred when there is no answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, path: str) -> Answer:
        """What stands at a path or an address of the site."""
        return self._client.get(self._path(path))

    def post(
        self, path: str, fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, Path]], data: bytes | None = None
    ) -> Answer:
        """Sends fields and files (name and path), or `data` as it is. Raises OSError for a file that can't be read."""
        return self._client.post(self._path(path), _body(fields, files, data))

    def judge(self, answer: Answer, *, read: bool) -> None:
        """Whether it worked. Raises Deferred for what may do so later, Rejected with the site's reason."""
        if answer.status in _NOT_NOW:
            raise Deferred(f"{self._client.site}: not now ({answer.status})")
        if not (self._shown(answer) if read else self._done(answer)):
            raise Rejected(f"{self._client.site}: {_why(answer)}")

    def _shown(self, answer: Answer) -> bool:
        if answer.status == 200 and answer.get("contentTypes") is False:
            raise Rejected(f"{self._client.site}: it took us for an anonymous reader: user or key are wrong")
        # a file is what it is; a page is a login's, or another server's
        return answer.status == 200 and (
            answer.json is not None or "html" not in answer.headers.get("content-type", "")
        )

    def _done(self, answer: Answer) -> bool:
        if answer.status == 201:
            return True
        location = answer.get("location")
        if isinstance(location, str):  # that of the home page is what deletes answer with
            return answer.status == 200
        return answer.status == 200 and answer.json not in (None, "")

    def whoami(self) -> dict[str, str]:
        """Name, address and uuid of the user that we are there. Raises Rejected when the site does not know us."""
        answer = self._client.get("/currentUser/?_t=json")
        user = answer.get("user")
        if answer.status in (403, 404) and answer.json is not None:
            raise Rejected(f"{self._client.site}: it does not accept this user with this key")
        self.judge(answer, read=True)
        if not isinstance(user, dict):
            raise Rejected(f"{self._client.site}: what answers is not Known: a login page or another server")
        return {
            "name": str(user.get("displayName", "")),
            "user": str(user.get("url", "")).rpartition("/")[2],
            "url": str(user.get("url", "")),
            "uuid": str(user.get("uuid", "")),
        }

    def accounts(self) -> dict[str, list[Account] | None]:
        """For each kind of post the accounts that it may be passed on to; None where its plug-in is off.

        Source: `services` of a form's JSON (Known 1.6.2, observed)."""
        self.whoami()
        found: dict[str, list[Account] | None] = {}
        for kind in _KINDS:
            answer = self._client.get(f"/{kind}/edit?_t=json")
            if answer.status == 404 and answer.json is not None:
                found[kind] = None
                continue
            self.judge(answer, read=True)
            found[kind] = list(_accounts(answer.get("services")))
        return found

    def find(self, token: str) -> list[dict[str, str]]:
        """Posts of ours that carry a key, the oldest first."""
        return [{"id": item.id, "url": item.url, "type": item.type} for item in finding.search(self._client, token)]

    def delete(self, url: str) -> None:
        """Deletes one post of ours, and sees that it has gone. Raises Rejected when it can't be."""
        path = self._path(url).partition("?")[0]
        item = finding.read(self._client, path)
        if item is None:
            raise Rejected(f"{url}: there is no such post, or it is hidden from this user")
        if item.owner != finding.user_uuid(self._client):
            raise Rejected(f"{url}: it is another user's post")
        if not self._delete(item):
            raise Rejected(f"{url}: the site did not delete it")

    def _delete(self, item: Item) -> bool:
        finding.send_delete(self._client, item)
        return finding.read(self._client, f"/view/{item.id}") is None

    def _path(self, path: str) -> str:
        """Below the site's address. Raises Rejected for another site's, where the signature must not go."""
        if "://" not in path:
            return path if path.startswith("/") else f"/{path}"
        parts, site = urlsplit(path), urlsplit(self._client.site)
        if parts.netloc.lower() != site.netloc.lower():
            raise Rejected(f"{path} is not at {self._client.site}")
        found = finding.at_home(self._client, path) or "/"
        return f"{found}?{parts.query}" if parts.query else found


def _body(fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, Path]], data: bytes | None) -> Body:
    if data is not None:
        return Body("application/x-www-form-urlencoded", data)
    if not files:
        return form({}, fields)
    return parts(fields, [FilePart(name, _sent_name(path), _type(path), path) for name, path in files])


def _sent_name(path: Path) -> str:
    """A file's name may be any bytes; what is sent is text."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def _type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _accounts(services: Any) -> Iterator[Account]:
    if not isinstance(services, dict):
        return
    for service, entries in services.items():
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("username"):
                yield Account(str(service), str(entry["username"]), str(entry.get("name", "")))


def _why(answer: Answer) -> str:
    said = reasons(answer)
    if said:
        return f'refused ({answer.status}): "{said}"'
    if 300 <= answer.status < 400:
        where = answer.headers.get("location", "nowhere")
        return f"it redirects to {where}: user or key are wrong, or the site has another address"
    if answer.status == 403:
        return "it does not accept this user with this key (403)"
    if answer.status in (404, 410):
        return f"there is nothing, or it is hidden, or its plug-in is off ({answer.status})"
    if answer.json is None and answer.status == 200:
        return "what answers is not Known's: nothing, or a web page"
    return f"refused, without a reason ({answer.status})"
