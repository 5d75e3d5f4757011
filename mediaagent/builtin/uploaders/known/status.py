"""Posts statuses: short texts without files. Their key is a tag, for a status shows hidden marks to its readers."""

from __future__ import annotations

from mediaagent.api import Deferred, Post, Progress, Receipt, Rejected
from mediaagent.builtin.uploaders.known import finding, text
from mediaagent.builtin.uploaders.known.answers import made, refused_by_database
from mediaagent.builtin.uploaders.known.body import form
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.common import answered, common_fields, syndication

__all__ = ["revise", "upload"]


def upload(client: Client, post: Post, key: str, progress: Progress) -> Receipt:
    """Posts it, or proves what an earlier try made. Raises Deferred, Rejected or TooLarge."""
    location = progress.get("location")
    if not location:
        location = _submit(client, "/status/edit", post, key)
        progress.save("location", location, flushed=False)
        return _receipt(client, location, key)
    try:
        return _receipt(client, location, key)
    except Deferred as lost:
        if not lost.in_doubt:
            raise
        # never post again by ourselves what the site said it had made; a retry by hand may
        progress.save("location", "")
        raise Rejected(f"{client.site}: it was posted as {location}, and is not there any more") from None


def revise(client: Client, receipt: Receipt, post: Post, key: str) -> Receipt:
    """Gives the status at `receipt` the text of `post`."""
    item = finding.read(client, f"/view/{receipt.remote_id}") if receipt.remote_id else None
    if item is None or not item.carries(key):
        item = next(iter(finding.search(client, key)), item)
    if item is None:
        raise Rejected(f"{client.site}: {receipt.url} was deleted there, so its change is not sent")
    return _receipt(client, _submit(client, f"/status/edit/{item.id}", post, key), key)


def _submit(client: Client, path: str, post: Post, key: str) -> str:
    if post.parts:
        raise Rejected(f"a status on Known holds no files, and this one has {post.parts[0].name}")
    body, tags = text.status_body(post), text.hashtags([*post.tags, key])
    if not body:
        raise Rejected("a status needs a text, and this has none")
    fields = {"body": body, "tags": tags, **common_fields(client, post)}
    repeated = [*answered(post), *(syndication(post) if path == "/status/edit" else [])]
    request = form(fields, repeated)
    answer = client.post(path, request)
    if refused_by_database(answer) and text.four_bytes(body):
        request = form(fields | {"body": text.with_entities(body)}, repeated)
        answer = client.post(path, request)
    return made(answer, client.site, f"{client.site}{path}", len(request))


def _receipt(client: Client, location: str, key: str) -> Receipt:
    item = finding.locate(client, location, key)
    if item is None:
        raise Deferred(f"{client.site}: the site says that it made {location}, but does not show it", in_doubt=True)
    return Receipt(url=finding.permalink(client, item), remote_id=item.id)
