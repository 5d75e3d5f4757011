"""Proves that a post is on the site before anything is built on it, or says what that means."""

from __future__ import annotations

from mediaagent.api import Deferred, Progress, Receipt, Rejected
from mediaagent.builtin.uploaders.known import finding
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.finding import Item

__all__ = ["again", "fresh", "ours", "standing"]


def fresh(client: Client, location: str, key: str) -> Item:
    """The post that the site has just said it made. Raises Deferred."""
    item = finding.locate(client, location, key)
    if item is None:
        raise Deferred(f"{client.site}: the site says that it made {location}, but does not show it", in_doubt=True)
    return item


def standing(client: Client, location: str, key: str, progress: Progress) -> Item:
    """The post that an earlier try made. Raises Rejected when it has gone since."""
    item = finding.locate(client, location, key)
    if item is None:
        # never post again by ourselves what the site said it had made; a retry by hand may
        progress.save("location", "")
        raise Rejected(f"{client.site}: it was posted as {location}, and is not there any more")
    return item


def ours(client: Client, receipt: Receipt, key: str) -> Item:
    """The post that is to be changed, looked up first: an edit of an id that is not there makes a new post.

    Raises Rejected when it has gone.
    """
    item = finding.read(client, f"/view/{receipt.remote_id}") if receipt.remote_id else None
    if item is None or not item.carries(key):
        item = next(iter(finding.search(client, key)), item)
    if item is None:
        raise Rejected(f"{client.site}: {receipt.url} was deleted there, so its change is not sent")
    return item


def again(client: Client, item: Item) -> Item:
    """The same post after a change. Raises Deferred."""
    back = finding.read(client, f"/view/{item.id}")
    if back is None:
        raise Deferred(f"{item.url}: the post vanished while it was changed", in_doubt=True)
    return back
