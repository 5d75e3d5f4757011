"""What would happen to a file now: claimed, proven, known already; nothing is changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from mediaagent.cli.hand import Hand, Hands
from mediaagent.errors import Deferred, Incomplete, Unsecured
from mediaagent.model import Claim, Ignored, Part, SeenFile, Sighting, printable

if TYPE_CHECKING:
    from mediaagent.journey.plan import Source
    from mediaagent.ports import Lookout
    from mediaagent.store.queue import Queue

__all__ = ["Look", "Looking", "made_up", "no_file"]

#: As the journey has it: what has not changed for so long before the first start lay there before.
_SETTLED = timedelta(seconds=60)


class Look(Struct, frozen=True, kw_only=True):
    """One file, and what would become of it."""

    file: SeenFile
    fate: Literal["take", "note", "wait", "ignored", "known", "baseline", "refused"]
    reason: str = ""
    role: str = ""
    media_type: str = ""
    claim: Claim | None = None
    hand: Hand | None = None  # what is to be taken, when it is
    about: Path | None = None  # ignored, because it belongs to this one


class Looking:
    """Looks at one source's files as the running agent would."""

    def __init__(self, source: Source, queue: Queue, lookout: Lookout, hands: Hands) -> None:
        self._source = source
        self._queue = queue
        self._lookout = lookout
        self._hands = hands
        self._now = datetime.now(UTC)

    def root_of(self, path: Path) -> Path | None:
        """The watched folder that this path lies below."""
        return next((root for root in self._source.watcher.roots if path.is_relative_to(root)), None)

    def walk(self, trouble: list[str]) -> Iterator[Look]:
        """Every file that is there."""
        for root in self._source.watcher.roots:
            for file in self._lookout.walk(
                root, (), lambda hint: trouble.append(f"{printable(hint.path)}: {hint.detail}")
            ):
                yield self.at(file, root)

    def others(self) -> Iterator[tuple[Path, str]]:
        """What lies there and is no file (links, pipes), each with what it is; nobody else would ever tell of it."""
        folders = [os.fspath(root) for root in self._source.watcher.roots]
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        elif not entry.is_file(follow_symlinks=False):
                            yield Path(entry.path), no_file(Path(entry.path))
            except OSError:
                continue  # the walk tells of it

    def at(self, file: SeenFile, root: Path) -> Look:
        claim = self._claim(file)
        if isinstance(claim, Ignored):
            about = claim.about
            missing = f", and {printable(about.name)} is not there" if about and not os.path.lexists(about) else ""
            return Look(file=file, fate="ignored", reason=claim.reason + missing, about=about)
        known = self._queue.file(self._source.name, file.path)
        if known and known.state != "gone" and (known.size, known.mtime_ns) == (file.size, file.mtime_ns):
            return Look(file=file, fate="known", reason=_known(known.state, known.reason), role=claim.role, claim=claim)
        if known is None and (first := self._taken_as(file)):
            reason = f"taken already, as {printable(first)}"
            return Look(file=file, fate="known", reason=reason, role=claim.role, claim=claim)
        if self._lay_there(file, root):
            reason = 'lay there before the source was first started; existing = "post" posts such files'
            return Look(file=file, fate="baseline", reason=reason, role=claim.role, claim=claim)
        return self._proven(file, root, claim)

    def _taken_as(self, file: SeenFile) -> Path | None:
        """Another name, or another way to the folder, under which this very file was taken."""
        found = self._queue.same_files(self._source.name, file.inode, file.size, file.mtime_ns)
        return next((each.path for each in found if each.state == "taken"), None)

    def _claim(self, file: SeenFile) -> Claim | Ignored:
        try:
            return self._source.watcher.claim(file)
        except Exception as error:  # a plug-in's turn
            return Ignored(f"the watcher failed on it: {type(error).__name__}: {error}")

    def _lay_there(self, file: SeenFile, root: Path) -> bool:
        if self._source.existing != "ignore" or self._queue.baseline_complete(self._source.name, root):
            return False
        return file.ctime_ns / 1e9 < (self._now - _SETTLED).timestamp()

    def _proven(self, file: SeenFile, root: Path, claim: Claim) -> Look:
        if not claim.secure:
            return Look(file=file, fate="note", reason="a fact of its event, not posted", role=claim.role, claim=claim)
        try:
            hand = self._hands.take(self._source, root, file, claim)
        except (Incomplete, Deferred) as missing:
            return Look(file=file, fate="wait", reason=str(missing), role=claim.role, claim=claim)
        except Unsecured as error:
            return Look(file=file, fate="refused", reason=str(error), role=claim.role, claim=claim)
        return Look(file=file, fate="take", role=claim.role, media_type=hand.media_type, claim=claim, hand=hand)

    # --- groups -------------------------------------------------------------------------------------------------------

    def sightings(self, looks: Iterable[Look]) -> list[Sighting]:
        """How the watcher would group them, with what it holds already."""
        held = self._queue.open_parts(self._source.name, self._now - self._source.reopen)
        parts = [self._part(look) for look in looks if look.fate in ("take", "note")]
        return list(self._source.watcher.group([*held, *parts], self._now))

    def _part(self, look: Look) -> Part:
        """As the spool would make it, but nothing is copied, and no content is hashed: its name stands for it."""
        assert look.claim is not None
        file, root, hand = look.file, self.root_of(look.file.path), look.hand
        shown = hand.shown.path if hand else file.path
        changed = datetime.fromtimestamp(max(file.mtime_ns, 0) // 10**9, UTC)
        return Part(
            id="0" * 26,
            source=self._source.name,
            role=look.claim.shown or look.role,
            path=file.path,
            name=printable((shown.relative_to(root) if root else shown).as_posix()),
            files=hand.files if hand else {},
            sha256=sha256(printable(file.path).encode()).hexdigest() if hand else "",
            size=file.size,
            media_type=look.media_type,
            fingerprint=file.fingerprint,
            seen_at=min(changed, self._now),
            modified_at=changed,
            facts={**look.claim.facts, **(hand.facts if hand else {})},
            identity=look.claim.identity,
        )


def _known(state: str, reason: str) -> str:
    said = {
        "taken": "taken already",
        "baseline": "lay there before the source was first started",
        "renamed": "the same file under another name",
        "incomplete": "given up as incomplete; it is looked at again when it changes",
        "refused": "refused",
        "unwanted": "left",
    }.get(state, state)
    return f"{said}: {reason}" if reason and state != "baseline" else said


_NO_FILES = {
    stat.S_IFLNK: "a symbolic link: links are never followed",
    stat.S_IFIFO: "a pipe: only files are taken",
    stat.S_IFSOCK: "a socket: only files are taken",
    stat.S_IFCHR: "a device: only files are taken",
    stat.S_IFBLK: "a device: only files are taken",
}


def no_file(path: Path) -> str:
    """What there is in place of a regular file, and that it is never taken; "" for files, folders and nothing."""
    try:
        return _NO_FILES.get(stat.S_IFMT(path.lstat().st_mode), "")
    except (OSError, ValueError):
        return ""


def made_up(path: Path, size: int = 1) -> SeenFile:
    """A file that is not there, as a watcher could have seen it: to ask what it would have said of the name."""
    now = datetime.now(UTC)
    nanoseconds = int(now.timestamp() * 1e9)
    return SeenFile(
        path=path,
        size=size,
        mtime_ns=nanoseconds,
        ctime_ns=nanoseconds,
        device=0,
        inode=0,
        owner=0,
        links=1,
        first_seen=now,
    )
