"""Files that belong to no post: the two ways to upload one, and the one way to fetch any."""

from __future__ import annotations

import re
from typing import Any

from tests.doubles import known_json as shown
from tests.doubles import known_pictures as pictures
from tests.doubles.known_http import Reply, Request, Upload
from tests.doubles.known_site import Site, StoredFile, User

PHP_FAILED = ("Error", "Object of class Idno\\Core\\Language could not be converted to string")


def fetch(site: Site, request: Request, file_id: str) -> Reply:
    """GET /file/…: for everybody, whatever the post's access."""
    found = site.file(file_id)
    if found is None:
        return Reply.page(404, "This page can't be found.")
    span = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
    if span:  # the site sends one byte too few
        return Reply(206, found.content[int(span[1]) : int(span[2])], found.media_type)
    return Reply(200, found.content, found.media_type)


def micropub(site: Site, request: Request, user: User | None) -> Reply:
    """The endpoint of the IndiePub plug-in, as far as media go."""
    if "indiepub" not in site.plugins:
        return Reply.json(404, {"title": "This page can't be found.", "messages": shown.messages(request)})
    if user is None:
        return _error(request, 403, "forbidden", "")
    if request.method == "GET":
        return Reply.json(200, {"media-endpoint": f"{site.url}/micropub/endpoint", "syndicate-to": []})
    upload = _upload(site, request)
    if upload is None:
        return _crash(request)
    if len(upload.content) > site.limits.upload_max_filesize:
        return _error(request, 400, "cannot_save_media", "Problem saving media")
    if not site.writable:
        reason = ("Something went wrong saving your file.", "alert-info")
        return _error(request, 400, "cannot_save_media", "Problem saving media", reason)
    url = _keep(site, upload, upload.content)
    reply = Reply.json(201, {"url": url}, "text/html; charset=UTF-8")
    reply.headers["Location"] = url
    return reply


def plain(site: Site, request: Request, user: User | None) -> Reply:
    """POST /file/upload: an address, or nothing at all; status 200 in any case. JPEGs are encoded anew."""
    upload = _upload(site, request)
    nothing = Reply(200)
    if user is None or upload is None or not upload.name or not site.writable:
        return nothing
    if len(upload.content) > site.limits.upload_max_filesize:
        return nothing
    measured = pictures.measure(upload.content)
    content = pictures.stored(upload.content, measured[0]) if measured else upload.content
    return Reply.json(200, _keep(site, upload, content), "text/html; charset=UTF-8")


def _upload(site: Site, request: Request) -> Upload | None:
    if request.size > site.limits.post_max_size:
        return None  # PHP drops everything
    return next((file for file in request.files if file.field == "file"), None)


def _keep(site: Site, upload: Upload, content: bytes) -> str:
    file = StoredFile(upload.name, upload.media_type, content)
    site.loose.append(file)
    return f"{site.url}/file/{file.id}"


def _error(request: Request, status: int, error: str, words: str, *reasons: Any) -> Reply:
    messages = shown.messages(request, *reasons)
    described = ": ".join([words, *(message["message"] for message in messages)]) if words else ""
    return Reply.json(status, {"error": error, "error_description": described, "messages": messages})


def _crash(request: Request) -> Reply:
    class_, message = PHP_FAILED
    file = "IdnoPlugins/IndiePub/Pages/MicroPub/Endpoint.php"
    exception = {"class": class_, "message": message, "file": file, "line": 581}
    return Reply.json(500, {"exception": exception, "title": "Exception", "messages": shown.messages(request, {})})
