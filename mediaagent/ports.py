"""What the core asks of the outside, by shape.

The first three (and their optional companions) are what a plug-in author meets; the others are for the house itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from mediaagent.model import (
    Claim,
    Defaults,
    Delivery,
    Event,
    Facts,
    FileNote,
    Fingerprint,
    Found,
    Hint,
    Ignored,
    Part,
    Post,
    Problem,
    Receipt,
    Route,
    SeenFile,
    Sighting,
)

__all__ = [
    "Clock",
    "Deliveries",
    "Drop",
    "Enricher",
    "FindsPosts",
    "Ledger",
    "Lookout",
    "Marks",
    "Outbox",
    "PassesOn",
    "Prepared",
    "Progress",
    "ReadsContent",
    "ReadsElsewhere",
    "RevisesPosts",
    "RoutesEvents",
    "SelfChecks",
    "Spool",
    "Uploader",
    "Watcher",
    "Workbench",
]


# --- plug-ins ---------------------------------------------------------------------------------------------------------


class Watcher(Protocol):
    """Knows one producer's files. Decides; never changes, moves, copies, opens or remembers anything."""

    defaults: ClassVar[Defaults]

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders to watch, with all below them."""

    def claim(self, file: SeenFile) -> Claim | Ignored:
        """What to do with a file, from its name and lstat alone. Cheap: it is asked for every file of a folder."""

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        """Which parts belong together, and whether more may come. Pure.

        `parts` are those of no closed event, plus those of lately closed ones (`event_key` tells which: a sighting that
        holds any of those keeps that key). Every open part must be in exactly one sighting.
        """


@runtime_checkable
class ReadsContent(Protocol):
    """A watcher whose facts stand in the content of its files."""

    def read(self, files: Mapping[str, Path], quiet: timedelta) -> Facts:
        """What our copies of a claim's files tell, by role; `quiet`: how long they have not changed.

        Pure, and called in the workbench's child process. Raises Incomplete where they are not whole: they are let go,
        and the originals wait on."""


@runtime_checkable
class RoutesEvents(Protocol):
    """A watcher whose events don't all go the same way."""

    def routes(self) -> Mapping[str, Route]:
        """Every route that its sightings may have, by where it stands in the settings ("mailboxes.1234")."""


class Enricher(Protocol):
    """Makes a better post out of a post. Runs in the workbench's child process."""

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        """The better post; new files go to `folder`. Raises Discarded(why) when the event is not to be posted.

        Pictures still have their metadata here (it is removed after the last enricher)."""


@runtime_checkable
class ReadsElsewhere(Protocol):
    """An enricher that reads more than its post's files, what its options name, and the system's programs."""

    def reads(self, roots: Sequence[Path]) -> Iterable[Path]:
        """Files and folders, where its source watches `roots`. The workbench's child sees no others."""


class Progress(Protocol):
    """Durable notes of one delivery: steps that made something on the far side."""

    def get(self, name: str) -> str | None: ...
    def save(self, name: str, value: str, *, flushed: bool = True) -> None:
        """On disk when this returns. `flushed=False`: it outlives this process, and is on disk with what is written
        next; a power cut may take it, so only where the far side can be asked for as much."""


class Uploader(Protocol):
    """Posts to one target."""

    def upload(self, post: Post, key: str, progress: Progress) -> Receipt:
        """Delivers once, or raises Deferred, Rejected or TooLarge. `key` is to be findable on the far side after."""


@runtime_checkable
class FindsPosts(Protocol):
    """An uploader whose target can be asked; without it a target gets posts at least once, not exactly once."""

    @property
    def settles_after(self) -> timedelta:
        """How long after a lost reply the far side may still be working."""

    def find(self, key: str) -> Found:
        """The post that carries `key` (perhaps with some of its parts only), Absent, or Unknown."""


@runtime_checkable
class RevisesPosts(Protocol):
    """An uploader that can change what it posted."""

    def revise(self, receipt: Receipt, post: Post, key: str) -> Receipt:
        """Makes the post at `receipt` equal to `post`: text, and parts that are not there yet. Raises like `upload`."""


@runtime_checkable
class SelfChecks(Protocol):
    """A plug-in that can tell whether it would work, without a side effect."""

    def check(self) -> Iterable[Problem]: ...


@runtime_checkable
class PassesOn(Protocol):
    """An uploader whose site passes posts on to accounts elsewhere (`Post.syndicate`), and says to which."""

    def accounts(self) -> Mapping[str, Sequence[str]]:
        """For each kind of post that it takes the accounts it offers. Asked for without a side effect.

        Raises Deferred or Rejected where the site can't be asked."""


@runtime_checkable
class ChecksPosts(Protocol):
    """An uploader that can tell it of the posts that it will get; asked in place of `check`."""

    def check_posts(self, sent: Mapping[str, Collection[str]]) -> Iterable[Problem]:
        """`sent`: kind of post -> all that is said of who may see such posts: "public", "members", "private"."""


# --- the house --------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time, in both of its meanings."""

    def now(self) -> datetime:
        """The wall's time, UTC."""

    def steady(self) -> float:
        """Seconds that never jump."""


class Lookout(Protocol):
    """Hints and truth about watched folders."""

    def watch(self, roots: Collection[Path], report: Callable[[Hint], None]) -> None:
        """Starts to report hints from threads of its own. Watches are in place when this returns."""

    def walk(self, folder: Path, known: Collection[int], report: Callable[[Hint], None]) -> Iterator[SeenFile]:
        """Every regular file below `folder` whose `mark` is not in `known`. Folders that can't be read are reported."""

    def look(self, path: Path) -> SeenFile | None:
        """One regular file, now; None when there is none (gone, a link, a pipe, a folder)."""

    def mark(self, file: SeenFile) -> int:
        """A number that stands for this file at this path in this state."""

    def close(self) -> None:
        """Ends what `watch` started."""


class Marks(Collection[int], Protocol):
    """Files that need no second look; see `Lookout.mark`."""

    def add(self, mark: int) -> None: ...

    def sweep(self) -> AbstractContextManager[None]:
        """Around a walk of everything: what the walk did not meet is forgotten."""


class Spool(Protocol):
    """Our own durable copies of the producers' files."""

    def secure(self, source: str, root: Path, file: SeenFile, claim: Claim, *, anyhow: bool = False) -> Part:
        """Opens the claim's files safely below `root`, in one hand, proves that they are whole, and copies them; safe
        only after `settle`. Of alternative companions the first that is there is taken. The part has the names under
        which they were opened. `anyhow`: though the file isn't whole; the fact "not_whole" says what is missing.

        Raises Unsecured: Incomplete and Unwanted among others."""

    def settle(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Makes copies durable, many at once, with all that is known of them. Returns the parts with the files'
        places from then on. Raises Unsecured, and has none of them then."""

    def discard(self, parts: Iterable[Part]) -> None:
        """Removes the copies of parts that are not kept, settled or not."""

    def folder(self, event_id: int, revision: int) -> Path:
        """An empty folder for what is made of an event (left-overs of a killed try are removed)."""

    def variant(self, event_id: int, revision: int, limit: int) -> Path:
        """An empty folder for a smaller form of it."""

    def seal(self, made: Sequence[tuple[Event, Path]]) -> None:
        """What was made of each event, in its folder, is on disk when this returns, and says itself what it is."""

    def release(self, paths: Iterable[Path]) -> None:
        """Removes copies that nobody needs any more."""


class Drop(Protocol):
    """Where other programs hand over what is to be posted."""

    def waiting(self) -> Sequence[str]:
        """Bundles that are whole, oldest first. Raises OSError."""

    def copy(self, name: str) -> Sequence[Part]:
        """Copies of a bundle, not durable yet; none when it was taken before. Raises Unsecured or OSError."""

    def keep(self, parts: Sequence[Part]) -> None:
        """Makes the copies of several bundles durable, and writes them down. Raises Unsecured, or ValueError and the
        like where one holds what can't be written; none is kept then."""

    def remove(self, name: str) -> None:
        """It was taken. Raises Unsecured."""

    def refuse(self, name: str, reason: str) -> Path:
        """Sets aside what can't be used, and notes why. Raises Unsecured."""

    def refused(self) -> Sequence[str]:
        """What lies there set aside, oldest first, each with the reason."""


class Workbench(Protocol):
    """Where untrusted files are opened: a child process with limits."""

    def facts(self, file: Path, wants: Sequence[str]) -> Facts:
        """Facts of a file's content; those that can't be told are left out."""

    def read(self, watcher: str, options: Mapping[str, Any], files: Mapping[str, Path], quiet: timedelta) -> Facts:
        """What a watcher (type, options) that ReadsContent finds in these files. Raises Incomplete, or Deferred."""

    def prepare(
        self, post: Post, event: Event, steps: Sequence[tuple[str, Mapping[str, Any]]], folder: Path
    ) -> tuple[Post, tuple[str, ...]]:
        """The post that is sent: decoded for proof, enriched by `steps` (type, options), metadata removed; and notes.

        Parts that don't decode, crash or hang the decoder drop out, with a note each. Raises Discarded."""

    def shrink(self, post: Post, limit: int, folder: Path) -> Post:
        """The same post with every part at most `limit` bytes. Raises Rejected when that can't be."""

    def rest(self) -> None:
        """Sends the child away when it has been idle for long enough."""

    def close(self) -> None: ...


class Ledger(Protocol):
    """What became of every seen file. Each method is one transaction."""

    def known(self, source: str) -> Iterator[tuple[Path, Fingerprint]]:
        """Every file that needs no second look."""

    def recall(self, source: str, file: SeenFile) -> str:
        """What is known of this file, perhaps under an earlier name; "" when it is new.

        A new name is written down with the next `note` or `keep`."""

    def note(self, source: str, notes: Iterable[FileNote]) -> None:
        """Files that are not taken, and why."""

    def keep(self, parts: Iterable[Part]) -> None:
        """Parts that the spool has secured."""

    def has_part(self, part_id: str) -> bool:
        """Whether this part was kept."""

    def twins(self, source: str, sha256: str) -> Sequence[Part]:
        """The newest parts with these very bytes, oldest first; a few are enough to tell a rename."""

    def newest(self, source: str, path: Path) -> str:
        """The id of the last part that was taken under this name; "" for none."""


class Prepared(NamedTuple):
    """An event's post as it was prepared, notes for `why`, and the folder in which its files were made."""

    event: Event
    post: Post
    notes: Sequence[str]
    folder: Path


class Outbox(Protocol):
    """Events on their way to a prepared post. Each method is one transaction."""

    def parts(self, source: str, closed_since: datetime) -> Sequence[Part]:
        """Parts of no event yet, and those of events that were closed since then."""

    def add(self, source: str, sightings: Sequence[Sighting], targets: Sequence[str]) -> Sequence[str]:
        """A whole sighting becomes an event with a delivery to each target, or revises the one with its key.

        Returns what was done with each, in a word: "new", "revised", "joined" (nothing that people would see),
        "late" (it can't be shown any more), "spare" (the same again), "nothing"."""

    def unprepared(self, most: int) -> Sequence[Event]:
        """The events that have waited longest for their posts to be prepared."""

    def keep(self, made: Sequence[Prepared]) -> Sequence[int | None]:
        """Prepared posts, all or none of them; their deliveries may begin.

        One that is the same again (`Post.bucket`) gets none: in its place stands the event whose post counts it."""

    def dismiss(self, event: Event, reason: str) -> None:
        """The event is not posted, and why."""

    def postpone(self, event: Event, reason: str, due: datetime | None) -> None:
        """Preparing failed; once more at `due`, or never again by itself (None)."""

    def tries(self, event: Event) -> int:
        """How often preparing this event has failed."""


class Deliveries(Protocol):
    """Prepared posts on their way to one target. Each method is one transaction."""

    def begin(self, target: str, *, asking_after: timedelta) -> tuple[Delivery, Post, Progress] | None:
        """The next due delivery; that its attempt begins is durable when this returns."""

    def to_verify(self, target: str) -> Delivery | None:
        """A delivered one whose target is to be asked once more, now."""

    def complete(self, delivery: Delivery, receipt: Receipt, *, verify_at: datetime | None = None) -> None:
        """It is there; `verify_at`: ask once more then, for a double that came late."""

    def defer(self, delivery: Delivery, reason: str, due: datetime, *, in_doubt: bool) -> None:
        """It is not (surely) there: again at `due`."""

    def deferred(self, target: str, reason: str) -> Collection[int]:
        """Those that wait, and wait for this reason."""

    def hasten(self, deliveries: Collection[int]) -> None:
        """Those of them that still wait are due now."""

    def reject(self, delivery: Delivery, reason: str, *, in_doubt: bool = False) -> None:
        """It never will be: a dead letter. `in_doubt`: it may be there all the same, should its owner try again."""

    def verified(self, delivery: Delivery, at: datetime | None) -> None:
        """Asked once more: done (None), or not answered and again then."""

    def vary(self, delivery: Delivery, post: Post, limit: int) -> None:
        """This target gets a smaller variant."""

    def next_due(self, target: str) -> datetime | None:
        """When `begin` will have something; None: nothing waits."""
