"""Posts entries: long posts whose text links their files.

The files go first, each noted; then one request makes the whole post. So a post is never there without its files.
"""

from __future__ import annotations

from msgspec import Struct

from mediaagent.api import Deferred, Post, Progress, Receipt
from mediaagent.builtin.uploaders.known import finding, proof
from mediaagent.builtin.uploaders.known.attachment import Linked, attach, lacking, without
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.draft import Draft
from mediaagent.builtin.uploaders.known.finding import Item

__all__ = ["Entries"]


class Entries(Struct, frozen=True):
    """How entries are posted."""

    encrypt_to: str = ""  # a public key of age; "": files go as they are

    def upload(self, client: Client, post: Post, key: str, progress: Progress) -> Receipt:
        """Posts it, or goes on where an earlier try was cut. Raises Deferred, Rejected or TooLarge."""
        location = progress.get("location")
        if location:
            return self.complete(client, proof.standing(client, location, key, progress), post, key, progress)
        draft = self._draft(client, post, key, progress)
        location = draft.send()
        progress.save("location", location, flushed=False)
        return self._receipt(client, proof.fresh(client, location, key), draft.post, key)

    def revise(self, client: Client, receipt: Receipt, post: Post, key: str) -> Receipt:
        """Gives the entry at `receipt` the text of `post`, and those of its files that are not there yet."""
        return self.change(client, proof.ours(client, receipt, key), post, key)

    def complete(self, client: Client, item: Item, post: Post, key: str, progress: Progress) -> Receipt:
        """The receipt of an entry that is there, after what it lacks was added."""
        if lacking(item, post.parts, key, self.encrypt_to):
            draft = self._draft(client, post, key, progress)
            draft.send(item.id)
            item, post = proof.again(client, item), draft.post
        return self._receipt(client, item, post, key)

    def change(self, client: Client, item: Item, post: Post, key: str) -> Receipt:
        """Makes an entry that is there equal to `post`. What it links stays, also when our own copy is gone."""
        draft = self._draft(client, post, key, Linked(item, post.parts, key, self.encrypt_to))
        draft.send(item.id)
        return self._receipt(client, proof.again(client, item), draft.post, key)

    def _draft(self, client: Client, post: Post, key: str, progress: Progress) -> Draft:
        links = attach(client, post.parts, key, progress, self.encrypt_to)
        post = without(post, [part for part in post.parts if part.name not in links])
        return Draft(client, post, key, "entry", [links[part.name] for part in post.parts])

    def _receipt(self, client: Client, item: Item, post: Post, key: str) -> Receipt:
        lost = lacking(item, post.parts, key, self.encrypt_to)
        if lost:
            names = ", ".join(part.name for part in lost)
            raise Deferred(f"{item.url}: the site did not keep the links to {names}", in_doubt=True)
        parts = tuple(part.name for part in post.parts)
        return Receipt(url=finding.permalink(client, item), remote_id=item.id, parts=parts)
