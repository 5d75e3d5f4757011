"""Posts recordings, sound or film: the first as the post's own file with a player, all others linked in its text.

Known's Media plug-in holds one file a post, and is off on a fresh site. Without it, for files that it does not take,
and for encrypted ones, the post is an entry that links them all.
"""

from __future__ import annotations

from msgspec import Struct

from mediaagent.api import Deferred, Post, PostPart, Progress, Receipt, Rejected, TooLarge
from mediaagent.builtin.uploaders.known import finding, proof
from mediaagent.builtin.uploaders.known.attachment import Linked, attach, is_here, lacking, size_of, without
from mediaagent.builtin.uploaders.known.client import Client
from mediaagent.builtin.uploaders.known.draft import Draft, Recording
from mediaagent.builtin.uploaders.known.entry import Entries
from mediaagent.builtin.uploaders.known.finding import Item
from mediaagent.builtin.uploaders.known.names import bare, media_name

__all__ = ["Recordings"]


class Recordings(Struct, frozen=True):
    """How recordings are posted."""

    encrypt_to: str = ""  # a public key of age; "": files go as they are
    fallback: str = "attachment"  # where the Media plug-in is off; or "defer"

    def upload(self, client: Client, post: Post, key: str, progress: Progress) -> Receipt:
        """Posts it, or goes on where an earlier try was cut. Raises Deferred, Rejected or TooLarge."""
        if not post.parts:
            raise Rejected(f"a post of the kind {post.kind} needs a recording, and this has none")
        location = progress.get("location")
        if location:
            item = proof.standing(client, location, key, progress)
            if item.type != "media":
                return self._entries.complete(client, item, post, key, progress)
            return self._complete(client, item, post, key, progress)
        played = self._played(post, key)
        if played is None or not self._plugin_is_on(client):
            return self._entries.upload(client, post, key, progress)
        draft = self._draft(client, post, key, progress)
        location = draft.send(recording=_recording(played, post, key))
        progress.save("location", location, flushed=False)
        return self._complete(client, proof.fresh(client, location, key), draft.post, key, progress)

    def revise(self, client: Client, receipt: Receipt, post: Post, key: str) -> Receipt:
        """Gives the post at `receipt` the text of `post`, and those of its files that are not there yet."""
        item = proof.ours(client, receipt, key)
        if item.type != "media":
            return self._entries.change(client, item, post, key)
        linked = Linked(item, post.parts, key, self.encrypt_to)
        post = self._change(client, item, post, key, linked)
        return self._complete(client, proof.again(client, item), post, key, linked)

    @property
    def _entries(self) -> Entries:
        return Entries(self.encrypt_to)

    def _played(self, post: Post, key: str) -> PostPart | None:
        """The part that gets the player; None: none can have it."""
        if self.encrypt_to:
            return None
        return next((part for part in post.parts if media_name(part, key)), None)

    def _others(self, post: Post, key: str) -> list[PostPart]:
        played = self._played(post, key)
        return [part for part in post.parts if part is not played]

    def _draft(self, client: Client, post: Post, key: str, progress: Progress) -> Draft:
        others = self._others(post, key)
        links = attach(client, others, key, progress, self.encrypt_to)
        post = without(post, [part for part in others if part.name not in links])
        return Draft(client, post, key, "media", [links[part.name] for part in others if part.name in links])

    def _change(self, client: Client, item: Item, post: Post, key: str, progress: Progress) -> Post:
        """Sends every word again; the recording only where the site holds another one (it takes the place of that).

        Returns the post as it is there now."""
        played = self._played(post, key)
        stays = played is None or _held(item, _recording(played, post, key))
        if played and not stays and not is_here(played):
            raise Rejected(f"{item.url}: the file of {played.name} is gone, here and on the site")
        draft = self._draft(client, post, key, progress)
        if played is None or stays:
            draft.send(item.id)
            return draft.post
        draft.send(item.id, _recording(played, post, key))
        if {held.id for held in proof.again(client, item).attachments} <= {held.id for held in item.attachments}:
            # the site says 200 too when PHP had dropped the file, or (over post_max_size) all that was sent
            draft.send(item.id)
            size = size_of(played)
            raise TooLarge(f"{item.url}: the site did not keep {played.name} of {size} bytes in place of the former")
        return draft.post

    def _complete(self, client: Client, item: Item, post: Post, key: str, progress: Progress) -> Receipt:
        if self._missing(item, post, key):
            post = self._change(client, item, post, key, progress)
            item = proof.again(client, item)
        lost = self._missing(item, post, key)
        if lost:
            raise Deferred(f"{item.url}: the site did not keep {', '.join(lost)}", in_doubt=True)
        parts = tuple(part.name for part in post.parts)
        return Receipt(url=finding.permalink(client, item), remote_id=item.id, parts=parts)

    def _missing(self, item: Item, post: Post, key: str) -> list[str]:
        missing = [part.name for part in lacking(item, self._others(post, key), key, self.encrypt_to)]
        played = self._played(post, key)
        if played and not _held(item, _recording(played, post, key)):
            missing.insert(0, played.name)
        return missing

    def _plugin_is_on(self, client: Client) -> bool:
        answer = client.get("/media/edit?_t=json")
        if answer.status != 404 or answer.json is None:
            return True  # or what is wrong will be told by the post itself
        if self.fallback == "defer":
            raise Deferred(
                f"{client.site}: the Media plug-in is off, so recordings wait: on the site, as administrator, "
                'Site configuration, Plugins, switch Media on; or set audio_fallback = "attachment"'
            )
        return False


def _recording(part: PostPart, post: Post, key: str) -> Recording:
    name, kind = media_name(part, key), bare(part.media_type)
    if post.kind == "audio" and kind == "video/mp4" and name.lower().endswith(".m4a"):
        kind = "audio/mp4"  # one container for both; the site's player goes by this
    return Recording(name, kind, part.file, size_of(part))


def _held(item: Item, recording: Recording) -> bool:
    """The site keeps it: same name, byte for byte as long, and as something that is played."""
    return any(
        held.name == recording.name and held.size == recording.size and held.media_type.startswith(("audio/", "video/"))
        for held in item.attachments
    )
