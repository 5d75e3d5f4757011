"""Sends the words of a long post or a recording, all of them each time: an edit sets every field anew.

Without `access` an edit makes a post public.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from msgspec import Struct

from mediaagent.api import Post, Rejected, TooLarge
from mediaagent.builtin.uploaders.known import text
from mediaagent.builtin.uploaders.known.answers import made, refused_by_database
from mediaagent.builtin.uploaders.known.body import Body, form, multipart
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.common import answered, common_fields, syndication
from mediaagent.builtin.uploaders.known.text import Enclosure

__all__ = ["Draft", "Recording"]


class Recording(NamedTuple):
    """The one file that a recording's post holds, as the site is to know it."""

    name: str
    media_type: str
    path: Path
    size: int


class Draft(Struct, frozen=True):
    """One post on its way, its attachments already on the site."""

    client: Client
    post: Post
    key: str
    kind: Literal["entry", "media"]
    links: Sequence[Enclosure]

    def send(self, item_id: str = "", recording: Recording | None = None) -> str:
        """Makes the post, or changes the one with this id; returns its permalink. Raises Deferred, Rejected, TooLarge.

        Once more in plainer words when the site's database refuses them.
        """
        fields = self._fields(common_fields(self.client, self.post))
        path = self._path(item_id, recording, fields)
        repeated = [
            *(answered(self.post) if self.kind == "entry" else []),
            *([] if item_id else syndication(self.post)),
        ]
        body = _body(fields, recording, repeated)
        answer = self.client.post(path, body)
        if refused_by_database(answer) and any(map(text.four_bytes, fields.values())):
            body = _body(_plainer(fields), recording, repeated)
            answer = self.client.post(path, body)
        what = self.client.site + path.partition("?")[0] + (f" ({recording.name})" if recording else "")
        try:
            return made(answer, self.client.site, what, len(body))
        except TooLarge as large:
            if recording:
                raise
            raise Rejected(f"{large}; it is the text alone, so smaller files would not help") from None

    def _fields(self, common: dict[str, str]) -> dict[str, str]:
        if self.kind == "media":
            body = text.media_body(text.answering(self.post), self.links, self.key)
        else:
            body = text.entry_body(self.post.body, self.links, self.key)
        return {"title": text.title(self.post), "body": body, "tags": text.hashtags(self.post.tags), **common}

    def _path(self, item_id: str, recording: Recording | None, fields: dict[str, str]) -> str:
        if not item_id:
            return f"/{self.kind}/edit"
        if recording is None:
            return f"/{self.kind}/edit/{item_id}"
        # A body over post_max_size reaches PHP without its fields, and the Media plug-in then empties the post, makes
        # it public and answers 200 (Known 1.6.2, `Media.php`, `Input.php`). What stands in the query is kept.
        return f"/{self.kind}/edit/{item_id}?" + urlencode({"access": fields["access"], "tags": f"#{self.key}"})


def _body(fields: dict[str, str], recording: Recording | None, repeated: list[tuple[str, str]]) -> Body:
    if recording is None:
        return form(fields, repeated)
    return multipart(fields, "media", recording.name, recording.media_type, recording.path, repeated)


def _plainer(fields: dict[str, str]) -> dict[str, str]:
    return fields | {
        "title": text.without_four_bytes(fields["title"]),
        "body": text.with_entities(fields["body"]),
    }
