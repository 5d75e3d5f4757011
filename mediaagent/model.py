"""The nouns of the domain: frozen values that do no I/O.

Times are aware and in UTC unless a name says `local`. Sizes are bytes. Paths are as the system gives them (a name that
is not UTF-8 carries surrogates, see PEP 383); `printable` makes one fit for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field

__all__ = [
    "Absent",
    "Bucket",
    "Claim",
    "Defaults",
    "Delivery",
    "DeliveryState",
    "Event",
    "Facts",
    "FileNote",
    "Fingerprint",
    "Found",
    "Hint",
    "Ignored",
    "Link",
    "Part",
    "Post",
    "PostPart",
    "Pre",
    "Problem",
    "Receipt",
    "Route",
    "Seen",
    "SeenFile",
    "Sighting",
    "Text",
    "Unknown",
    "Verdict",
    "printable",
]

#: What is known of a file or an event, by name: JSON values only (str, int, float, bool, None, lists, dicts).
Facts = Mapping[str, Any]


def printable(name: object) -> str:
    r"""A file name fit for a terminal, a log and JSON: control characters and undecodable bytes are escaped.

    >>> printable("a\nb\udcff.jpg")
    'a\\nb\\udcff.jpg'
    """
    text = str(name)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class Fingerprint(NamedTuple):
    """What tells one content of one file from another without opening it.

    A changed ctime alone (chown, a hard link made) is nothing new, so it is not part of it.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int


class SeenFile(Struct, frozen=True, kw_only=True):
    """One regular file as lstat showed it; nothing was opened."""

    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int
    owner: int
    links: int
    first_seen: datetime  # when we first saw it in exactly this state

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.device, self.inode, self.size, self.mtime_ns)


class Hint(Struct, frozen=True, kw_only=True):
    """Something may have changed. Hints are never the truth; a walk is."""

    kind: Literal["changed", "folder", "overflow", "root", "trouble"]
    # changed: look at this file · folder: walk this folder · overflow: walk everything
    # root: a watched root vanished or came back · trouble: tell the owner (`detail` says what)
    path: Path | None = None
    detail: str = ""


class Claim(Struct, frozen=True, kw_only=True):
    """What a watcher wants of a seen file."""

    role: str  # of this file in the event: "picture", "movie", "audio", …
    companions: Mapping[str, Path | tuple[Path, ...]] = field(default_factory=dict)  # role -> path, or several of
    #                     which the first that is there counts: taken in one hand, all roles must be there
    shown: str = ""  # the companion's role that people will see, when it is not the file itself
    series: str = ""  # a pattern of names in this folder that the producer renumbers, each file after its companions:
    #                     while one lacks a companion, names tell nothing of what belongs together
    quiet: timedelta = timedelta(seconds=1)  # this long without a change counts as finished
    anyhow: timedelta | None = None  # after so long without a change it is taken though it is not whole: what a
    #                     program left when it died is evidence; the fact "not_whole" says what is missing
    only: tuple[str, ...] = ()  # media types by content: a file that shows another is not taken after all
    together: str = ""  # files with the same word become one event: it stays open while one of them is being written
    secure: bool = True  # False: only noted as a fact (a movie that isn't posted); never opened or copied
    done: Path | None = None  # finished only when this marker file exists
    identity: str = ""  # what the producer's data in the name says of *which* file this is; a copy with another
    #                     identity is never taken for a rename
    wants: tuple[str, ...] = ()  # facts to be read from the content, in the workbench: "taken_at"
    facts: Facts = field(default_factory=dict)  # what the name tells

    @property
    def hand(self) -> Mapping[str, tuple[Path, ...]]:
        """The companions by role, each with its alternatives."""
        return {role: path if isinstance(path, tuple) else (path,) for role, path in self.companions.items()}


class Ignored(Struct, frozen=True):
    """Why a watcher wants nothing of a seen file."""

    reason: str
    about: Path | None = None  # this file says something of another one (a `.done` marker): look at that again


class FileNote(Struct, frozen=True, kw_only=True):
    """Why a seen file is not taken."""

    file: SeenFile
    state: Literal["baseline", "incomplete", "refused", "renamed", "gone", "unwanted"]
    reason: str
    part: str = ""  # renamed: the part that has this name now


class Verdict(Struct, frozen=True):
    """Whether a file's content proves that it is whole."""

    whole: bool
    media_type: str = "application/octet-stream"  # by content
    reason: str = ""  # when not whole: what is missing, in words


class Part(Struct, frozen=True, kw_only=True):
    """One claimed file (and its companions) that we have secured."""

    id: str  # 26 characters, sortable by time
    source: str
    role: str
    path: Path  # where the producer had it
    name: str  # printable path below the watched root, with "/"
    files: Mapping[str, Path]  # role -> our copy, of companions too; empty when it was only noted
    sha256: str  # of the main file's content; "" when only noted
    size: int
    media_type: str
    fingerprint: Fingerprint
    seen_at: datetime  # when we saw its last change
    modified_at: datetime  # the file's mtime
    facts: Facts
    identity: str = ""
    copy: int = 1  # the how-manieth file with these very bytes in this source
    shown: bool = True  # False: the event's, for enrichers to look into, but no post has it (a core dump)
    event_key: str = ""  # of the closed event it belongs to; "" when it is still open

    @property
    def file(self) -> Path:
        """Our copy of the file that people will see."""
        return self.files[self.role]


class Route(Struct, frozen=True, kw_only=True):
    """Where one event goes, and as what, where that differs from its source's; None: as the source says."""

    to: tuple[str, ...] | None = None  # names of targets
    title: str | None = None
    body: str | None = None
    tags: tuple[str, ...] | None = None
    access: Literal["public", "members", "private"] | None = None
    literal: bool = False  # title, body and tags are the words themselves, not templates
    form: Literal["", "status", "entry", "photo", "audio", "video"] = ""  # of the post; "": by its files
    syndicate: tuple[str, ...] | None = None
    reply_to: tuple[str, ...] = ()


class Sighting(Struct, frozen=True, kw_only=True):
    """Parts that belong together."""

    key: str  # stable identity found in the producer's data; never a path or an inode alone
    kind: str
    happened_at: datetime
    parts: tuple[Part, ...]
    facts: Facts = field(default_factory=dict)
    growing_until: datetime | None = None  # ask again then; None: it is whole
    nothing: str = ""  # whole, but there is nothing to post: why ("no picture")
    spare: tuple[
        Part, ...
    ] = ()  # the same again (a copy, a forwarded one): theirs is the event, but they change nothing
    once: bool = False  # its key tells all: what comes to that when it was an event, or changed one, is spare
    unshown: tuple[Part, ...] = ()  # those of `parts` that no post has; enrichers look into them all the same
    keep: timedelta = timedelta(0)  # our copies of its files stay at least so long (unless the spool gets full)
    together: str = ""  # `Claim.together` of its files
    topic: str = ""  # with `outcome`: it is posted only if the topic's last event ended otherwise
    outcome: str = ""  # "failed", "passed"; a first one is posted only when it is "failed"
    joins: timedelta = timedelta(0)  # it changes the topic's last event, if that changed no longer ago or is "open";
    #                                  its key is known from then on as one of that event's
    route: Route = Route()


class Event(Struct, frozen=True, kw_only=True):
    """A sighting that is to be posted; `(source, key)` is unique for ever."""

    id: int
    source: str
    key: str
    kind: str
    happened_at: datetime
    facts: Facts
    revision: int  # counts how often it grew, from 1
    parts: tuple[Part, ...]  # without spare ones
    route: Route = Route()


# The blocks of a post's body are tagged, so that JSON tells them apart.
class Text(Struct, frozen=True, tag="text"):
    """A run of plain text; a blank line parts paragraphs."""

    text: str


class Pre(Struct, frozen=True, tag="pre"):
    """Text whose line breaks and spaces count."""

    text: str


class Link(Struct, frozen=True, tag="link"):
    """A link with its text."""

    text: str
    url: str


class PostPart(Struct, frozen=True, kw_only=True):
    """One file of a post."""

    file: Path
    role: str
    media_type: str
    name: str  # the file's name for the far side: no folders, unique within the post
    text: str = ""  # alternative text
    size: int = 0
    facts: Facts = field(default_factory=dict)  # of the part it came from; uploaders don't send these


class Bucket(Struct, frozen=True, kw_only=True):
    """What makes a post the same again as an earlier one of its source, which then counts it instead."""

    key: str  # 8 to 64 of [0-9a-f]
    within: timedelta  # so long after the earlier one happened
    link: str = ""  # where to read more of this time: the newest one is shown; http or https


class Seen(Struct, frozen=True, kw_only=True):
    """How often the same came again, in absolute values."""

    times: int  # with the first
    first: datetime
    last: datetime
    link: str = ""  # of the last time


class Post(Struct, frozen=True, kw_only=True):
    """What people will see. Escaping for where it goes is the uploader's."""

    kind: Literal["photo", "audio", "video", "status", "entry"]
    title: str
    body: tuple[Text | Pre | Link, ...] = ()
    tags: tuple[str, ...] = ()  # without "#"
    access: Literal["public", "members", "private"] = "public"
    happened_at: datetime
    parts: tuple[PostPart, ...] = ()
    source: str = ""
    key: str = ""  # the event's
    revision: int = 1
    bucket: Bucket | None = None  # set by an enricher that knows the same when it sees it again
    seen: Seen | None = None  # set by the core when it came again
    syndicate: tuple[str, ...] = ()  # accounts at other services that the target passes it on to: "twitter::name"
    reply_to: tuple[str, ...] = ()  # addresses that it answers

    @property
    def text(self) -> str:
        """The whole body as plain text."""
        return "\n\n".join(
            f"{block.text}: {block.url}" if isinstance(block, Link) else block.text for block in self.body
        )


class Receipt(Struct, frozen=True, kw_only=True):
    """The far side's word."""

    url: str
    remote_id: str = ""
    parts: tuple[str, ...] = ()  # names of the parts it holds; may be some of them


class Absent(Struct, frozen=True):
    """The far side was asked by somebody it knows, and has no such post."""


class Unknown(Struct, frozen=True):
    """The far side could not be asked for sure; `reason` says why."""

    reason: str


Found = Receipt | Absent | Unknown

DeliveryState = Literal["waiting", "sending", "delivered", "rejected", "held", "dropped"]


class Delivery(Struct, frozen=True, kw_only=True):
    """One event's way to one target."""

    id: int
    event_id: int
    source: str
    target: str
    key: str  # the token by which the target is searched
    state: DeliveryState
    due_at: datetime
    attempts: int
    in_doubt: bool  # an earlier attempt may have got through
    last_error: str
    receipt: Receipt | None
    revision: int  # of the event, now
    revision_delivered: int  # 0: none yet


class Defaults(Struct, frozen=True, kw_only=True):
    """What a watcher's sources do when the settings don't say otherwise."""

    title: str  # Jinja2
    body: str = ""
    tags: tuple[str, ...] = ()
    access: Literal["public", "members", "private"] = "public"
    enrich: tuple[str, ...] = ()  # types of enrichers
    facts: Mapping[str, str] = field(default_factory=dict)  # facts its sightings carry -> what each is
    reopen: timedelta = timedelta(0)  # so long after an event was closed a late part may still join it
    form: Literal["media", "entry"] = "media"  # posts are made by what their files are, or long posts that link them
    sends: tuple[str, ...] = ("photo", "audio", "video", "status", "entry")  # kinds of posts that its events become


class Problem(Struct, frozen=True, kw_only=True):
    """Something an owner should know: where, what was found, what to do."""

    where: str
    what: str
    todo: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"\n    {self.todo}" if self.todo else "")
