"""Posts to a site that runs Known (https://withknown.com)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

from mediaagent.api import (
    Deferred,
    Found,
    Post,
    Problem,
    Progress,
    Receipt,
    Rejected,
    Secret,
    Unknown,
    clear_text,
    of_this_machine,
    option,
    plugin,
    printable,
    site_complaint,
    user_complaint,
)

if TYPE_CHECKING:
    from mediaagent.builtin.uploaders.known.client import Client
    from mediaagent.builtin.uploaders.known.desk import Desk
    from mediaagent.builtin.uploaders.known.wires import Wires

__all__ = ["Known"]

#: What the site's search finds as one word: shorter ones it looks up otherwise, a hyphen would mean "not".
_KEY = re.compile(r"[a-z0-9_]{6,84}")


def _bad_duration(value: timedelta) -> str | None:
    return None if value > timedelta() else "it must be longer than nothing"


def _bad_recipient(recipient: str) -> str | None:
    from mediaagent.builtin.uploaders.known import encryption

    return encryption.complaint(recipient) if recipient else None


class _Kind(Protocol):
    """What posts one kind of post."""

    def upload(self, client: Client, post: Post, key: str, progress: Progress) -> Receipt: ...
    def revise(self, client: Client, receipt: Receipt, post: Post, key: str) -> Receipt: ...


@plugin
class Known:
    """Posts photos, sound, films, long posts with files, and statuses to a Known site, as one of its users.

    Each event becomes exactly one post there, also when an answer was lost: the post carries a key by which it is
    found again (hidden at the end of its text, or as a tag of a status).

    The site re-encodes JPEG pictures. Anybody who knows the address of a file can fetch it, also that of a private
    post: Known has no access control on files. `encrypt_to` has all files but photos encrypted before they are sent.
    """

    site: str = option("the address of the site's home page", check=site_complaint)
    user: str = option("the user to post as: handle, or e-mail address", check=user_complaint)
    key: Secret = option('the user\'s API key: "file:PATH", "env:NAME", "credential:NAME" or "keyring:NAME"')
    insecure: bool = option("allow http:// to another machine: what is sent can be read and repeated", default=False)
    timeout: timedelta = option(
        "how long to wait for an answer, besides one second for each MB sent",
        default=timedelta(seconds=60),
        check=_bad_duration,
    )
    settles_after: timedelta = option(
        "how long the site may still work on a request whose answer was lost", default=timedelta(seconds=120)
    )
    audio_fallback: Literal["attachment", "defer"] = option(
        "sound and films where the site's Media plug-in is off: linked from a long post, or waiting until it is on",
        default="attachment",
    )
    encrypt_to: str = option(
        'the public key of age ("age1…") of the one who may open files: all but photos are sent encrypted, as NAME.age',
        default="",
        check=_bad_recipient,
    )

    def __post_init__(self) -> None:
        if clear_text(self.site) and not self.insecure:
            raise ValueError(
                f"{self.site} would send everything in the clear, with signatures that anybody could use again: "
                "write https://, or add insecure = true"
            )

    def upload(self, post: Post, key: str, progress: Progress) -> Receipt:
        """Posts it and reads it back. Raises Deferred, Rejected or TooLarge."""
        with _readable():
            return self._kind(post).upload(self._connect(), post, _checked(key), progress)

    def find(self, key: str) -> Found:
        """The post that carries `key`; doubles of it, made by us, are deleted."""
        from mediaagent.builtin.uploaders.known import finding

        try:
            return finding.find(self._connect(), _checked(key))
        except Deferred as unasked:
            return Unknown(str(unasked))

    def revise(self, receipt: Receipt, post: Post, key: str) -> Receipt:
        """Changes the text, adds the files that are not there yet. Raises Deferred, Rejected or TooLarge."""
        with _readable():
            return self._kind(post).revise(self._connect(), receipt, post, _checked(key))

    def check(self) -> Iterator[Problem]:
        """Whether the site can be reached and takes us, asked for without a side effect."""
        return self.check_posts(dict.fromkeys(("photo", "audio", "video", "status", "entry"), ("private",)))

    def check_posts(self, sent: Mapping[str, Collection[str]]) -> Iterator[Problem]:
        """The same, where only such posts are sent."""
        from mediaagent.builtin.uploaders.known import checks

        if self.insecure and clear_text(self.site):
            what = "posts and signatures travel in the clear, and signatures stay valid for ever"
            yield Problem(
                where="insecure", what=what, todo="use https:// as soon as the site has it", severity="warning"
            )
        yield from checks.key_problems(self.key)
        try:
            self._reveal()
        except Deferred as unreadable:
            yield Problem(where="key", what=str(unreadable), todo=checks.key_todo(self.key))
            return
        yield from checks.site_problems(self._connect, self.site, self.user)
        if not self.encrypt_to:
            yield from checks.file_problems(self._connect, self.site, self.audio_fallback, sent)

    def accounts(self) -> dict[str, list[str]]:
        """The accounts that the site passes posts on to, by kind of post. Raises Deferred or Rejected."""
        with self.desk() as desk:
            found = {kind: [each.word for each in offered or ()] for kind, offered in desk.accounts().items()}
        media = found.pop("media")
        return {**found, "audio": media, "video": media}

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """Single requests for somebody at the keyboard, as this user. Raises Deferred when the key can't be read."""
        with self.desk_with(self._reveal()) as desk:
            yield desk

    @contextmanager
    def desk_with(self, key: str) -> Iterator[Desk]:
        """The same with a key that is stored nowhere yet."""
        from mediaagent.builtin.uploaders.known.desk import Desk

        yield Desk(self._client(_plausible(key, "what was given")))

    def _kind(self, post: Post) -> _Kind:
        """Imports only the kind that is asked for."""
        match post.kind:
            case "photo":
                from mediaagent.builtin.uploaders.known import photo

                return photo
            case "status":
                from mediaagent.builtin.uploaders.known import status

                return status
            case "audio" | "video":
                from mediaagent.builtin.uploaders.known.audio import Recordings

                return Recordings(self.encrypt_to, self.audio_fallback)
            case "entry":
                from mediaagent.builtin.uploaders.known.entry import Entries

                return Entries(self.encrypt_to)
        raise Rejected(f"this post is of the kind {post.kind}; Known gets photo, status, audio, video, entry")

    def _connect(self) -> Client:
        return self._client(self._reveal())

    def _client(self, key: str) -> Client:
        from mediaagent.builtin.uploaders.known.client import Client

        return Client(self.site, self.user, key, seconds=self.timeout.total_seconds(), wires=self._wires)

    @cached_property
    def _wires(self) -> Wires:
        from mediaagent.builtin.uploaders.known.wires import Wires

        return Wires(self.site, loopback=of_this_machine(self.site))

    def _reveal(self) -> str:
        """The key, read anew each time. Raises Deferred: a key that is put right later loses nothing."""
        try:
            key = self.key.reveal()
        except (OSError, KeyError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not set or not text"
            raise Deferred(f"the key at {self.key.reference} can't be read: {why}", target_down=True) from None
        return _plausible(key, f"what stands at {self.key}")


def _plausible(key: str, where: str) -> str:
    if not key or not key.isascii() or not key.isprintable():
        raise Deferred(f"{where} is no API key", target_down=True)
    return key


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        about = f" ({printable(error.filename)})" if error.filename else ""
        raise Deferred(f"a file of the post can't be read: {error.strerror}{about}") from error


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} can't be searched for on a Known site: 6 to 84 of a-z, 0-9 and _")
    return key
