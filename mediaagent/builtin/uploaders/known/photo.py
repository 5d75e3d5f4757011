"""Posts photos: the first as a new post, each further one added by an edit, all proven by reading back.

The form `photo[]` would take several at once, and drops those that failed without a word; `photo` is honest.
An edit sets every field anew (without `access` the post becomes public), so each sends them all.
"""

from __future__ import annotations

import msgspec

from mediaagent.api import Deferred, Post, PostPart, Progress, Receipt, Rejected
from mediaagent.builtin.uploaders.known import finding, proof, text
from mediaagent.builtin.uploaders.known.answers import made, refused_by_database
from mediaagent.builtin.uploaders.known.attachment import is_here
from mediaagent.builtin.uploaders.known.body import multipart
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.common import common_fields, syndication
from mediaagent.builtin.uploaders.known.finding import Item
from mediaagent.builtin.uploaders.known.names import original, same, site_name

__all__ = ["revise", "upload"]


class Draft(msgspec.Struct, frozen=True):
    """One photo post on its way."""

    client: Client
    post: Post
    key: str
    common: dict[str, str]  # access and created
    plain: bool = False  # the site's database refuses four-byte characters

    @property
    def fields(self) -> dict[str, str]:
        title, body = text.title(self.post), text.photo_body(text.answering(self.post), self.key)
        if self.plain:
            title, body = text.without_four_bytes(title), text.with_entities(body)
        return {"title": title, "body": body, "tags": text.hashtags(self.post.tags), **self.common}

    @property
    def four_bytes(self) -> bool:
        return any(text.four_bytes(value) for value in self.fields.values())

    def missing(self, item: Item) -> list[PostPart]:
        return [part for part in self.post.parts if not item.holds(site_name(part, self.key))]


def upload(client: Client, post: Post, key: str, progress: Progress) -> Receipt:
    """Posts it, or goes on where an earlier try was cut. Raises Deferred, Rejected or TooLarge."""
    _refuse(post)
    draft = Draft(client, post, key, common_fields(client, post))
    location = progress.get("location")
    if not location:
        location, draft = _submit(draft, "/photo/edit", post.parts[0])
        progress.save("location", location, flushed=False)  # its key finds it, too
        return _complete(draft, proof.fresh(client, location, key))
    return _complete(draft, proof.standing(client, location, key, progress))


def revise(client: Client, receipt: Receipt, post: Post, key: str) -> Receipt:
    """Gives the post at `receipt` the text of `post`, and those of its photos that are not there yet."""
    _refuse(post)
    item = proof.ours(client, receipt, key)
    draft = Draft(client, post, key, common_fields(client, post))
    lost = [part.name for part in draft.missing(item) if not is_here(part)]
    if lost:
        raise Rejected(f"{item.url}: the files of {', '.join(lost)} are gone, here and on the site")
    if not draft.missing(item):
        _, draft = _submit(draft, f"/photo/edit/{item.id}", None)
        item = proof.again(client, item)
    return _complete(draft, item)


def _refuse(post: Post) -> None:
    if not post.parts:
        raise Rejected("a photo post needs a picture, and this has none")
    for part in post.parts:
        if not part.media_type.startswith("image/") or part.media_type == "image/svg+xml":
            raise Rejected(f"{part.name} is {part.media_type}; a photo post on Known takes pictures only (no SVG)")


def _complete(draft: Draft, item: Item) -> Receipt:
    added = draft.missing(item)
    for part in added:
        _, draft = _submit(draft, f"/photo/edit/{item.id}", part)
    if added:
        item = proof.again(draft.client, item)
    item = finding.drop_repeats(draft.client, item)
    lost = draft.missing(item)
    if lost:
        raise Deferred(f"{item.url}: the site did not keep {', '.join(part.name for part in lost)}", in_doubt=True)
    url = finding.permalink(draft.client, item)
    return Receipt(url=url, remote_id=item.id, parts=tuple(_held(draft, item)))


def _held(draft: Draft, item: Item) -> list[str]:
    ours = {site_name(part, draft.key): part.name for part in draft.post.parts}
    return [
        next((name for sent, name in ours.items() if same(sent, held.name)), original(held.name, draft.key))
        for held in item.attachments
    ]


def _submit(draft: Draft, path: str, part: PostPart | None) -> tuple[str, Draft]:
    """Sends one photo (or none) with all fields; once more in plainer words when the site's database refuses them."""
    name = site_name(part, draft.key) if part else ""
    media_type = part.media_type if part else "application/octet-stream"
    repeated = syndication(draft.post) if path == "/photo/edit" else []
    body = multipart(draft.fields, "photo", name, media_type, part.file if part else None, repeated)
    answer = draft.client.post(path, body)
    if refused_by_database(answer) and draft.four_bytes:
        return _submit(msgspec.structs.replace(draft, plain=True), path, part)
    what = f"{draft.client.site}{path}" + (f" ({part.name})" if part else "")
    return made(answer, draft.client.site, what, len(body)), draft
