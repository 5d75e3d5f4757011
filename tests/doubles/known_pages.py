"""Which page answers a request, and what it does: the behaviour of Known 1.6.2, with its traps."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from tests.doubles import known_files, known_media
from tests.doubles import known_json as shown
from tests.doubles import known_pictures as pictures
from tests.doubles.known_http import Reply, Request, Upload
from tests.doubles.known_site import Refused, Site, StoredFile, StoredPost

NO_REASON: tuple[Any, ...] = ()  # the database refused, and nobody says so


def answer(site: Site, request: Request, *, race: bool = False) -> Reply:
    """The site's reply to a whole request. `race`: a new post gets a slug that is taken."""
    with site.lock:
        return Page(site, request, race).reply()


class Page:
    """One request being answered."""

    def __init__(self, site: Site, request: Request, race: bool) -> None:
        self.site, self.request, self.race = site, request, race
        self.user = site.signed_in(request)

    def reply(self) -> Reply:
        path = self.request.path
        if self.request.method == "POST":
            return self._post(path)
        if self.request.method == "DELETE":
            return self._delete(path.rpartition("/")[2])
        return self._get(path)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _get(self, path: str) -> Reply:
        file = re.fullmatch(r"/file/([0-9a-f]{32})(/.*)?", path)
        if file:
            return known_files.fetch(self.site, self.request, file[1])
        if path == "/micropub/endpoint":
            return known_files.micropub(self.site, self.request, self.user)
        editor = re.fullmatch(r"/(\w+)/edit", path)
        if editor:
            return self._editor(editor[1])
        if path == "/currentUser":
            return self._current_user()
        listing = re.fullmatch(r"/content/(\w+)|/", path)
        if listing:
            value = shown.list_page(self.site, self.request, self.user, listing[1] or "all")
            return self._shown(value)
        tag = re.fullmatch(r"/tag/(\w+)", path)
        if tag:
            return self._shown(shown.list_page(self.site, self.request, self.user, tag=tag[1]))
        return self._one(path)

    def _one(self, path: str) -> Reply:
        by_id, by_slug = re.fullmatch(r"/view/([\w-]+)", path), re.fullmatch(r"/\d{4}/([^/]+)", path)
        if not by_id and not by_slug:
            return self._error(404, "This page can't be found.")
        post = self.site.by_id(by_id[1]) if by_id else self.site.by_slug(by_slug[1]) if by_slug else None
        if post and self.user and self.user is not post.owner and post.access == self.site.uuid(self.user):
            return self._error(403, "")
        if post is None or not self.site.sees(self.user, post):
            return self._error(410, "This content isn't here.")
        if "if-modified-since" in self.request.headers:
            return Reply(304)
        return self._shown(shown.post_page(self.site, self.request, self.user, post))

    def _editor(self, kind: str) -> Reply:
        if kind not in self.site.plugins:
            return self._error(404, "This page can't be found.")
        if self.user is None:
            return self._error(403, "")
        return self._shown(shown.edit_page(self.site, self.request, self.user, kind))

    def _current_user(self) -> Reply:
        if self.user is None:
            return self._error(404, "This page can't be found.")
        value = {"user": shown.person(self.site, self.user), "title": self.user.handle, "description": ""}
        return self._shown(value | {"messages": shown.messages(self.request)})

    def _shown(self, value: dict[str, Any]) -> Reply:
        return Reply.json(200, value) if self.request.wants_json else Reply.page(200, "A site")

    def _error(self, status: int, title: str) -> Reply:
        if not self.request.wants_json:
            return Reply.page(status, title)
        return Reply.json(status, {"title": title, "messages": shown.messages(self.request)})

    # --- writing ------------------------------------------------------------------------------------------------------

    def _post(self, path: str) -> Reply:
        edit = re.fullmatch(r"/(\w+)/edit(?:/([\w-]+))?", path)
        if edit and edit[1] not in self.site.plugins:
            return self._error(404, "This page can't be found.")
        uploads = {"/micropub/endpoint": known_files.micropub, "/file/upload": known_files.plain}
        if path in uploads:
            return uploads[path](self.site, self.request, self.user)
        refused = self._stranger()
        if refused:
            return refused
        gone = re.fullmatch(r"(?:/(?:photo|status|media|entry))?/delete/([\w-]+)", path)
        if gone:
            return self._delete(gone[1])
        loose = re.fullmatch(r"/attachment/([\w-]+)/([0-9a-f]+)", path)
        if loose:
            return self._detach(*loose.groups())
        if not edit:
            return Reply.json(501, {"messages": shown.messages(self.request)})
        return self._save(edit[1], edit[2])

    def _stranger(self) -> Reply | None:
        if self.user:
            return None
        if {"x-known-username", "x-known-signature"} <= set(self.request.headers):
            return self._error(403, "")
        home = f"{self.site.url}/" + ("?_t=json" if self.request.wants_json else "")
        return Reply(302, headers={"Location": home})

    def _save(self, kind: str, post_id: str | None) -> Reply:
        if self.request.size > self.site.limits.post_max_size:
            self.request.fields, self.request.files = {}, []  # PHP drops them all
        if kind == "photo" and not any(file.field in ("photo", "photo[]") for file in self.request.files):
            return self._crash("Photo", "array_filter(): Argument #1 ($array) must be of type array, null given", 124)
        if kind == "media" and any(file.field == "media[]" for file in self.request.files):
            return self._crash("Media", "pathinfo(): Argument #1 ($path) must be of type string, array given", 73)
        old = self.site.by_id(post_id or "")
        assert self.user
        draft = StoredPost(kind=shown.TYPES[kind], owner=self.user)
        try:
            if old and old.owner is not self.user:
                raise Refused(*NO_REASON)
            self._fill(draft, old)
        except Refused as refused:
            return self._refusal(*refused.args)
        post = self._keep(draft, old)
        if self.request.headers.get("x-requested-with") == "XMLHttpRequest":
            return self._refusal()
        return self._location(shown.permalink(self.site, post))

    def _fill(self, draft: StoredPost, old: StoredPost | None) -> None:
        fields = {**self.request.query, **self.request.fields}  # PHP's $_REQUEST
        draft.title, draft.body = fields.get("title", ""), fields.get("body", "").replace("\0", "")
        draft.tags = self.request.lists.get("tags") or fields.get("tags", "")
        draft.access = fields.get("access") or "PUBLIC"
        draft.created = self._created(fields.get("created", ""))
        asked = self.request.lists.get("syndication", [])
        draft.syndication = [each for each in asked if each in shown.offered(self.site, shown.KINDS[draft.kind])]
        draft.in_reply_to = self.request.lists.get("inreplyto") or fields.get("inreplyto", "").split()
        if draft.kind == "note" and not draft.body.strip():
            raise Refused({})
        if draft.kind == "article" and not draft.body:
            raise Refused("You can't save an empty entry.")
        if draft.kind == "image":
            draft.files = list(self._pictures(old is not None))
            if draft.files and not self.site.writable:
                raise Refused(("Something went wrong saving your file.", "alert-info"), "Image wasn't attached.")
        if draft.kind == "media":
            draft.files = known_media.recording(self.site, self.request, editing=old is not None)
        words = f"{draft.title}{draft.body}{draft.tags}"
        broken = any("\ud800" <= c <= "\udfff" for c in words)
        if broken or (self.site.three_byte_database and any(c > "\uffff" for c in words)):
            raise Refused(*NO_REASON)

    def _keep(self, draft: StoredPost, old: StoredPost | None) -> StoredPost:
        if old is None:
            self.site.add(draft, race=self.race)
            return draft
        old.title, old.body, old.tags, old.access = draft.title, draft.body, draft.tags, draft.access
        old.updated = draft.updated
        old.files = draft.files or old.files if old.kind == "media" else old.files + draft.files
        return old

    def _created(self, text: str) -> datetime:
        now = datetime.now(UTC)
        try:
            when = datetime.fromtimestamp(int(text[1:]), UTC) if text[:1] == "@" else datetime.fromisoformat(text)
        except ValueError:
            return now
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        if not datetime(1970, 1, 1, tzinfo=UTC) <= when <= datetime(2038, 1, 19, tzinfo=UTC):
            raise Refused(*NO_REASON)
        return when

    def _pictures(self, editing: bool) -> Any:
        single = [file for file in self.request.files if file.field == "photo"][-1:]
        for file in single or self.request.files:
            if not single and (not file.name or len(file.content) > self.site.limits.upload_max_filesize):
                continue  # the trap of photo[]: what failed is dropped, the post is made without it
            if not file.name:
                if editing:
                    continue
                raise Refused("No file was uploaded")
            if len(file.content) > self.site.limits.upload_max_filesize:
                raise Refused("The uploaded file exceeds the upload_max_filesize directive in php.ini")
            yield _picture(file)

    def _delete(self, post_id: str) -> Reply:
        post = self.site.by_id(post_id)
        if post and post.owner is not self.user:
            return self._location(self.site.url + "/", 403)
        if post:
            self.site.posts.remove(post)
        return self._location(self.site.url + "/")

    def _detach(self, post_id: str, file_id: str) -> Reply:
        post = self.site.by_id(post_id)
        if post and post.owner is self.user:
            post.detached += [file for file in post.files if file.id == file_id]
            post.files = [file for file in post.files if file.id != file_id]
        return self._location(self.site.url + "/")

    def _location(self, url: str, status: int = 200) -> Reply:
        suffix = "?_t=json" if self.request.wants_json else ""
        return Reply.json(status, {"location": url + suffix}, "text/html; charset=UTF-8")

    def _refusal(self, *texts: Any) -> Reply:
        if not self.request.wants_json:
            return Reply.page(500 if texts == ({},) else 400, "")
        if not texts and self.request.secure:
            texts = ("Something went wrong.",)
        return Reply.json(400, {"messages": shown.messages(self.request, *texts)})

    def _crash(self, plugin: str, message: str, line: int) -> Reply:
        file = f"IdnoPlugins/{plugin}/{plugin}.php"
        exception = {"class": "TypeError", "message": message, "file": file, "line": line}
        value = {"exception": exception, "title": "Exception", "messages": shown.messages(self.request)}
        return Reply.json(500, value)


def _picture(file: Upload) -> StoredFile:
    name = re.sub(r"[<>]", "", file.name)
    if name.lower().endswith(".svg"):
        return StoredFile(name, "image/svg+xml", file.content)
    measured = pictures.measure(file.content)
    if measured is None:
        raise Refused("This doesn't seem to be an image...")
    if re.search(rb"<script|<\?php", file.content):
        raise Refused("Image seems to contain malicious code and cannot be uploaded.")
    kind, width, height = measured
    if "." not in name:
        name += {"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp"}.get(kind, "")
    shown_as = file.media_type if kind in ("image/bmp", "image/tiff") else kind
    return StoredFile(name, shown_as, pictures.stored(file.content, kind), width, height, sent=file.content)
