"""The JSON that a Known 1.6.2 site shows, with the keys and kinds that were recorded."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any
from urllib.parse import quote

from tests.doubles import known_pictures as pictures
from tests.doubles.known_http import Request
from tests.doubles.known_site import SEARCH_PAGE, Site, StoredPost, User

#: what is posted at /KIND/edit -> what it is as an object
TYPES = {"photo": "image", "status": "note", "media": "media", "entry": "article"}
KINDS = {object_type: kind for kind, object_type in TYPES.items()}
WARNING = (
    "Warning: Access credentials were sent over a non-secured connection! "
    "To disable this warning set disable_cleartext_warning in your config.ini"
)


def messages(request: Request, *texts: Any) -> list[dict[str, Any]]:
    """What went wrong (a pair tells the kind too); over plain http with credentials always headed by the warning."""
    told = [text if isinstance(text, tuple) else (text, "alert-danger") for text in texts]
    if "x-known-username" in request.headers and "x-known-signature" in request.headers and not request.secure:
        told.insert(0, (WARNING, "alert-danger"))
    return [{"message": text, "message_type": kind} for text, kind in told]


def person(site: Site, user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "uuid": site.uuid(user),
        "content": "",
        "formattedContent": "",
        "displayName": user.name or user.handle,
        "objectType": "person",
        "url": f"{site.url}/profile/{user.handle}",
        "image": {"url": f"{site.url}/gfx/users/default-04.png"},
    }


def permalink(site: Site, post: StoredPost) -> str:
    return f"{site.url}/{post.created.year}/{quote(post.slug)}"


def thing(site: Site, post: StoredPost) -> dict[str, Any]:
    """One post as `object` or as an item of a list."""
    html = re.sub(r"\s*<span hidden>.*?</span>", "", post.body) if site.hides_spans else post.body
    value: dict[str, Any] = {
        "id": post.id,
        "uuid": site.uuid(post),
        "content": re.sub(r"<[A-Za-z/!][^>]*>", "", html),
        "formattedContent": f"\n<p>{html}</p>\n" if html else "",
        "displayName": post.title or ("Untitled" if post.kind in ("image", "media") else post.body),
        "objectType": post.kind,
        "published": post.created.isoformat(timespec="seconds"),
        "updated": post.updated.isoformat(timespec="seconds"),
        "url": permalink(site, post),
        "actor": person(site, post.owner),
    }
    if post.tags:
        value["tags"] = post.tags
    if post.files:
        value["attachments"] = [
            {
                "filename": file.name,
                "url": f"{site.url}/file/{file.id}/{quote(file.name)}",
                "mime-type": file.media_type,
                "length": len(file.content),
            }
            for file in post.files
        ]
    if post.kind == "image":
        value["thumbnails"] = _thumbnails(site, post)
    return value


def _thumbnails(site: Site, post: StoredPost) -> Any:
    levels: dict[str, dict[str, Any]] = {}
    for file in post.files + post.detached:
        for level in pictures.thumbnails(file.media_type, file.width, file.height):
            levels.setdefault(level, {})[file.name] = {"url": f"{site.url}/file/{secrets.token_hex(16)}/thumb.jpg"}
    return levels or []


def post_page(site: Site, request: Request, reader: User | None, post: StoredPost) -> dict[str, Any]:
    value = {
        "object": thing(site, post),
        "user": person(site, reader or post.owner),
        "title": post.title or post.body,
        "description": post.body,
        "messages": messages(request),
    }
    return value | ({"csrf": [_csrf(f"{site.url}/annotation/post")]} if reader else {})


def list_page(
    site: Site, request: Request, reader: User | None, category: str = "all", tag: str = ""
) -> dict[str, Any]:
    query = f"#{tag}" if tag else request.query.get("q", "")
    offset = int(request.query.get("offset", "0"))
    kind = {"photos": "image", "statusupdates": "note", "audio": "media", "posts": "article"}.get(category, "")
    hits = site.tagged(reader, tag) if tag else site.search(reader, query, kind)
    page = hits[offset : offset + SEARCH_PAGE]
    value: dict[str, Any] = {
        "items": [thing(site, post) for post in page],
        "contentTypes": _content_types(site) if reader else False,
        "offset": offset,
        "count": len(hits),
        "subject": query,
        "content": [category],
        "title": "A site",
        "description": "A social website powered by Known",
        "messages": messages(request),
    }
    if page:
        value["object"] = thing(site, page[-1])
    if page or not reader:
        value["user"] = person(site, site.users[0])
    if page and reader:
        value["csrf"] = [_csrf(f"{site.url}/annotation/post")]
    return value


def edit_page(site: Site, request: Request, reader: User, kind: str) -> dict[str, Any]:
    fresh = StoredPost(kind=TYPES[kind], owner=reader)
    blank = thing(site, fresh) | {"id": "", "uuid": False, "url": f"{site.url}/{kind}/edit/"}
    if kind == "status":
        blank |= {"displayName": {}}
    value = {
        "object": blank,
        "formFields": {"body": {"type": "richtext", "id": "body"}, "access": {"id": "access-control-id-acl"}},
        "services": _services(site, kind),
        "content_type": fresh.kind,
        "posseLinks": [],
        "csrf": [_csrf(f"/{kind}/edit")],
        "title": "Edit",
        "messages": messages(request),
    }
    if kind == "status":
        value |= {"url": None, "tags": None}
    if kind == "photo":
        upload = {"type": "file", "name": "photo[]", "id": "photo-1", "accept": "image/*"}
        value |= {"hide-existing": True, "hide-delete": True, "label": "Description"}
        value["formFields"] |= {"photo[]": [upload]}  # type: ignore[operator]
    if kind == "media":
        value |= {"label": "Description"}
    return value


#: Webhooks take no pictures and no recordings.
_PASSED_ON = {"status": {"webhooks", "twitter"}, "entry": {"webhooks", "twitter"}, "photo": {"twitter"}, "media": set()}


def _services(site: Site, kind: str) -> Any:
    """PHP's empty array is a list."""
    return {
        service: [{"username": user, "name": name} for user, name in accounts]
        for service, accounts in site.services.items()
        if service in _PASSED_ON[kind]
    } or []


def offered(site: Site, kind: str) -> set[str]:
    """The accounts that a kind of post may be passed on to."""
    services = _services(site, kind) or {}
    return {f"{service}::{account['username']}" for service, accounts in services.items() for account in accounts}


def _csrf(action: str) -> dict[str, Any]:
    return {"tid": "tid" + secrets.token_hex(16), "action": action, "time": int(time.time()), "token": "0" * 64}


def _content_types(site: Site) -> dict[str, Any]:
    return {
        str(number): {
            "entity_class": f"IdnoPlugins\\{kind}\\{kind}",
            "handler_class": "Idno\\Common\\ContentType",
            "title": kind,
            "indieWebContentType": [kind.lower()],
            "createable": True,
            "category_title": kind,
            "editUrl": f"{site.url}/{kind.lower()}/edit",
        }
        for number, kind in enumerate(("Status", "Photo"))
    }
