"""First chapter: a seen file is claimed, waits until it is finished, and becomes a part of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from mediaagent.errors import Changed, Deferred, Gone, Incomplete, Refused, SpoolFull, Unreadable, Unsecured
from mediaagent.journey.plan import Log, Source
from mediaagent.model import Claim, Facts, FileNote, Fingerprint, Ignored, Part, SeenFile, Verdict, printable
from mediaagent.ports import Clock, Ledger, Lookout, Marks, Spool, Workbench

__all__ = ["Securing", "WaitingFile"]

#: Parts that are committed together at the most (one commit costs one flush of the disk), and looks in one go.
_BATCH = 64
_LOOKS = 512
#: A file that could not be read, or found no room, is tried again after so many seconds.
_PAUSE = 10.0
#: A file that needs no quiet is looked at again at once when it changes under our hands, so often.
_TRIES = 5
#: Where nothing changed for so long, nobody is renumbering: what stands alone there is so for good.
_RENUMBERED = 2.0
#: What lay there when a source was first started, and has not changed for so long, is not still growing.
_SETTLED = timedelta(seconds=60)


@dataclass(slots=True)
class WaitingFile:
    """A claimed file that is not (proven to be) finished."""

    file: SeenFile
    claim: Claim
    since: float  # steady time of the last change that we know of
    look_at: float  # steady time of the next look
    verdict: Verdict | None = None  # what its content said, for this very state
    hand: tuple[Fingerprint | None, ...] | None = None  # its companions', as they were at the last look
    still_since: float = 0.0  # steady time since which we ourselves have seen no change
    why: str = "waits to be quiet"


@dataclass(slots=True)
class Securing:
    """One source's files on their way to parts."""

    source: Source
    lookout: Lookout
    ledger: Ledger
    spool: Spool
    workbench: Workbench
    clock: Clock
    log: Log
    known: Marks
    waiting: dict[Path, WaitingFile] = field(default_factory=dict)
    full: str = ""  # why securing is paused; "" when it is not
    private: Callable[[Path], bool] = lambda path: False  # the agent's own settings and keys
    newest: str = ""  # id of the part that was secured last
    _uncommitted: list[Part] = field(default_factory=list)
    _copied: list[tuple[WaitingFile, Part]] = field(default_factory=list)  # not yet safe on disk
    _ended: list[tuple[WaitingFile, FileNote]] = field(default_factory=list)  # not yet written down
    _taken: int = 0  # parts that were made before `take` was called
    _open_at: float = 0.0  # steady time before which a full spool is not asked again

    # --- seeing -------------------------------------------------------------------------------------------------------

    def notice(self, file: SeenFile, *, trust_ctime: bool = False, baseline: datetime | None = None) -> FileNote | None:
        """A file was seen: claimed, it begins to wait. Returns a note where it is part of the baseline instead.

        `trust_ctime`: this is the first walk after a start, so what we did not see ourselves its ctime tells.
        `baseline`: the source was first started then; what had settled before is not for posting.
        """
        claim = self._claim(file)
        if isinstance(claim, Ignored):
            self.known.add(self.lookout.mark(file))
            if claim.about:
                self.wake(claim.about)
            return None
        before = self.waiting.get(file.path)
        if before and before.file.fingerprint == file.fingerprint:
            return None
        if self.ledger.recall(self.source.name, file):
            self.known.add(self.lookout.mark(file))
            return None
        age = self._age(file) if trust_ctime else timedelta(0)
        if baseline and file.ctime_ns / 1e9 < (baseline - _SETTLED).timestamp():
            self.known.add(self.lookout.mark(file))
            return FileNote(file=file, state="baseline", reason="lay there before the source was first started")
        steady = self.clock.steady()
        since = steady - age.total_seconds()
        due = max(since + claim.quiet.total_seconds(), steady)
        waiting = WaitingFile(file=file, claim=claim, since=since, look_at=due, still_since=steady)
        self.waiting[file.path] = waiting
        if not claim.quiet and not self.full:
            self._copy_now(waiting)
        return None

    def _copy_now(self, waiting: WaitingFile) -> None:
        """What needs no quiet is copied as soon as it is seen: a moment later it may have another name."""
        if self._in_hand(waiting.file):
            self._drop(waiting)
            return
        outcome = self._look_safely(waiting)
        if isinstance(outcome, Part):
            waiting.look_at = float("inf")
            self._copied.append((waiting, outcome))
        elif outcome is not None:
            waiting.look_at = float("inf")
            self._ended.append((waiting, outcome))
        if len(self._copied) >= _BATCH:
            self._taken += self._take_batch([])

    def _claim(self, file: SeenFile) -> Claim | Ignored:
        if self.private(file.path):
            return Ignored("the agent's own settings or key")
        try:
            return self.source.watcher.claim(file)
        except Exception:  # a plug-in's turn
            self.log.exception("watcher failed", source=self.source.name, path=printable(file.path))
            return Ignored("the watcher failed on it; see the log")

    def _age(self, file: SeenFile) -> timedelta:
        """How long ago the file changed, by its ctime; nothing for a ctime that lies in the future."""
        seconds = self.clock.now().timestamp() - file.ctime_ns / 1e9
        return timedelta(seconds=min(max(seconds, 0.0), 1e9))

    def wake(self, path: Path) -> None:
        """Something was said of this file: look at it now."""
        if path in self.waiting:
            self.waiting[path].look_at = self.clock.steady()

    def retry(self) -> None:
        """There is room again: files that found none are looked at now."""
        if self.full:
            for waiting in self.waiting.values():
                if waiting.why == self.full:
                    waiting.look_at = self.clock.steady()
            self.full, self._open_at = "", 0.0

    def next_look(self) -> float | None:
        """Steady time at which `take` will have something to do."""
        if self._copied or self._ended:
            return self.clock.steady()
        first = min((waiting.look_at for waiting in self.waiting.values()), default=None)
        return max(first, self._open_at) if first is not None and self.full else first

    # --- taking -------------------------------------------------------------------------------------------------------

    def take(self) -> int:
        """Secures what is finished. Returns how many parts were made; call again while it returns any."""
        now = self.clock.steady()
        if self.full and now < self._open_at and not self._copied and not self._ended:
            return 0  # one try finds out whether there is room; the others need not ask
        due = [waiting for waiting in self.waiting.values() if waiting.look_at <= now][:_LOOKS]
        # By name, which for cameras is by time: where the spool gets full, what is secured has no gaps.
        due.sort(key=lambda waiting: waiting.file.path)
        taken, self._taken = self._taken, 0
        if self._copied or self._ended:
            taken += self._take_batch([])
        for start in range(0, len(due), _BATCH):
            taken += self._take_batch(due[start : start + _BATCH])
            if self.full:
                break
        return taken

    def _take_batch(self, batch: list[WaitingFile]) -> int:
        """Nothing is forgotten before what became of it is written down."""
        copied, ended = self._copied, self._ended
        self._copied, self._ended = [], []
        for waiting in batch:
            outcome = self._look_safely(waiting)
            if isinstance(outcome, Part):
                copied.append((waiting, outcome))
            elif outcome is not None:
                ended.append((waiting, outcome))
            if self.full:
                break
        if not self._settle(copied):
            copied = []
        try:
            finished = self._write_down(copied, ended)
        except Exception:
            self._take_back(copied)
            for waiting in (*batch, *(each for each, _ in (*copied, *ended))):
                self._wait(waiting, "could not be written down", _PAUSE)
            raise
        for waiting, _ in (*finished, *ended):
            self._forget(waiting)
        return sum(isinstance(outcome, Part) for _, outcome in finished)

    def _take_back(self, copied: list[tuple[WaitingFile, Part]]) -> None:
        """Removes copies that the ledger does not know; the next start does so where not even that can be asked."""
        with suppress(Exception):
            unknown = [part for _, part in copied if self.ledger.newest(self.source.name, part.path) != part.id]
            self.spool.release(part.file.parent for part in unknown if part.files)

    def _settle(self, copied: list[tuple[WaitingFile, Part]]) -> bool:
        """Whether the copies are safely on disk; where the disk refuses, their files wait on."""
        try:
            self.spool.settle([part for _, part in copied])
        except Unsecured as error:
            self._pause(str(error))
            for waiting, _ in copied:
                self._wait(waiting, str(error), _PAUSE)
            return False
        return True

    def _write_down(
        self, copied: list[tuple[WaitingFile, Part]], ended: list[tuple[WaitingFile, FileNote]]
    ) -> list[tuple[WaitingFile, Part | FileNote]]:
        """Finishes new parts and keeps all in the ledger. Returns what became of those that need not wait on."""
        parts: list[Part] = []
        finished: list[tuple[WaitingFile, Part | FileNote]] = []
        self._uncommitted = parts
        for waiting, part in copied:
            outcome = self._finished(waiting, part)
            if isinstance(outcome, Part):
                parts.append(outcome)
            if outcome is not None:
                finished.append((waiting, outcome))
        before = {part.id: part for _, part in copied}
        self.spool.amend([part for part in parts if part != before[part.id]])
        notes = [outcome for _, outcome in (*ended, *finished) if isinstance(outcome, FileNote)]
        self._keep(parts, notes)
        return finished

    def _finished(self, waiting: WaitingFile, part: Part) -> Part | FileNote | None:
        """The part for good, unless reading tells that its file has to wait on."""
        quiet = timedelta(seconds=self.clock.steady() - waiting.since)
        try:
            return self.finish(part, waiting.claim.wants, quiet)
        except Incomplete as error:
            self.spool.release([part.file.parent])
            if error.again and error.again > quiet:
                self._wait(waiting, str(error), (error.again - quiet).total_seconds())
                return None
            waiting.verdict = Verdict(False, part.media_type, str(error))
            return self._give_up(waiting, str(error))
        except Deferred as error:
            self.spool.release([part.file.parent])
            return self._unreadable(waiting, str(error))

    def _keep(self, parts: list[Part], notes: list[FileNote]) -> None:
        if parts:
            self.ledger.keep(parts)
            self.newest = parts[-1].id
        if notes:
            self.ledger.note(self.source.name, notes)
        for part in parts:
            self.log.info("secured", source=self.source.name, part=part.id, name=part.name, role=part.role)
        for note in notes:
            self.log.info(note.state, source=self.source.name, path=printable(note.file.path), reason=note.reason)

    def _look_safely(self, waiting: WaitingFile) -> Part | FileNote | None:
        """One file that surprises us must not stop the others."""
        try:
            return self._look(waiting)
        except OSError as error:  # the machine's trouble, such as a state disk that went away: no file is to blame
            self._pause(str(error))
            self._wait(waiting, self.full, _PAUSE)
            return None
        except Exception as error:
            self.log.exception("unexpected", source=self.source.name, path=printable(waiting.file.path))
            return self._unreadable(waiting, f"{type(error).__name__}: {error}")

    def _look(self, waiting: WaitingFile) -> Part | FileNote | None:
        """One look at a waiting file: it is copied, noted, or waits on."""
        for _ in range(1 if waiting.claim.quiet else _TRIES):
            try:
                return self._look_once(waiting)
            except Changed:
                self._restart(waiting, self.lookout.look(waiting.file.path))
        return None

    def _look_once(self, waiting: WaitingFile) -> Part | FileNote | None:
        file = self.lookout.look(waiting.file.path)
        if file is None:
            return _note(waiting, "gone", "it was gone before it was finished")
        if file.fingerprint != waiting.file.fingerprint:
            if waiting.claim.quiet:
                raise Changed(f"{printable(file.path)} has changed")
            self._restart(waiting, file)
            if self._in_hand(file):
                self._drop(waiting)
                return None
            if self.ledger.recall(self.source.name, file):  # one that we have was renamed over it
                self._forget(waiting)
                return None
        self._look_at_hand(waiting)
        if waiting.claim.done and self.lookout.look(waiting.claim.done) is None:
            return self._give_up(waiting, f"waits for {printable(waiting.claim.done.name)}")
        if waiting.verdict and not waiting.verdict.whole:
            return self._give_up(waiting, waiting.verdict.reason)
        return self._secure(waiting)

    def _in_hand(self, file: SeenFile) -> bool:
        """Copied a moment ago, under an earlier name."""
        return any(held.file.fingerprint == file.fingerprint for held, _ in self._copied)

    def _look_at_hand(self, waiting: WaitingFile) -> None:
        """A companion that came, went or changed makes the file a new one."""
        looks = [self.lookout.look(path) for paths in waiting.claim.hand.values() for path in paths]
        hand = tuple(look.fingerprint if look else None for look in looks)
        if waiting.hand is not None and waiting.hand != hand:
            waiting.verdict, waiting.hand = None, hand
            waiting.since = waiting.still_since = self.clock.steady()
            if waiting.claim.quiet:
                raise Changed(f"what belongs to {printable(waiting.file.path)} has changed")
        waiting.hand = hand

    def _secure(self, waiting: WaitingFile) -> Part | FileNote | None:
        try:
            waiting.verdict, claim = self._prove(waiting)
            if not waiting.verdict.whole:
                return self._give_up(waiting, waiting.verdict.reason)
            root = self._root(waiting.file.path)
            part = self.spool.secure(self.source.name, root, self._dated(waiting), claim, waiting.verdict)
            self.full = ""
        except Gone as gone:
            if waiting.claim.companions and self.lookout.look(waiting.file.path):
                raise Changed(str(gone)) from gone  # only a companion is, for now
            return _note(waiting, "gone", "it was gone before it was finished")
        except Refused as refusal:
            return _note(waiting, "refused", str(refusal))
        except SpoolFull as full:
            self._pause(str(full))
            self._wait(waiting, self.full, _PAUSE)
            return None
        except Unreadable as error:
            return self._unreadable(waiting, str(error))
        return part

    def _pause(self, why: str) -> None:
        self.full = why
        self._open_at = self.clock.steady() + _PAUSE

    def _dated(self, waiting: WaitingFile) -> SeenFile:
        """The file with the wall's time of its last change, as of now: the wall's clock may have been set since."""
        quiet = timedelta(seconds=self.clock.steady() - waiting.since)
        return replace(waiting.file, first_seen=self.clock.now() - quiet)

    def _prove(self, waiting: WaitingFile) -> tuple[Verdict, Claim]:
        """Proof by structure, of the file and its companions; a file that is only noted is never opened.

        Returns the claim with those companions that were chosen, too; the media type is that of what is shown."""
        claim, chosen = waiting.claim, {}
        if not claim.secure:
            return Verdict(True), claim
        root = self._root(waiting.file.path)
        verdict = self.spool.prove(waiting.file, root)
        for role, paths in claim.hand.items():
            companion = next(filter(None, map(self.lookout.look, paths)), None)
            if companion is None:
                names = " or ".join(printable(path.name) for path in paths)
                return Verdict(False, verdict.media_type, f"{names} is not there yet"), claim
            proven = self.spool.prove(companion, root)
            if not proven.whole:
                return replace(proven, reason=f"{printable(companion.path.name)}: {proven.reason}"), claim
            chosen[role] = companion.path
            if role == claim.shown:
                verdict = replace(verdict, media_type=proven.media_type)
        settled = self.clock.steady() - waiting.still_since >= _RENUMBERED
        return verdict, replace(claim, companions=chosen, series="" if settled else claim.series)

    def finish(self, part: Part, wants: tuple[str, ...], quiet: timedelta = timedelta(days=1)) -> Part | FileNote:
        """The last touches of a new part: facts of its content, and whether these bytes are here already.

        Raises Incomplete or Deferred where its watcher reads the content."""
        if not part.files:
            return part
        twins = [
            *self.ledger.twins(self.source.name, part.sha256),
            *(other for other in self._uncommitted if other.sha256 == part.sha256),
        ]
        for twin in twins:
            if self._is_rename(twin, part):
                self.spool.release([part.file.parent])
                reason = f"the same content as {twin.name}"
                return FileNote(file=_seen(part), state="renamed", reason=reason, part=twin.id)
        part = replace(part, copy=max((twin.copy for twin in twins), default=0) + 1)
        return replace(part, facts=self._facts(part, wants, quiet))

    def _facts(self, part: Part, wants: tuple[str, ...], quiet: timedelta) -> Facts:
        facts = dict(part.facts)
        if self.source.reader:
            facts |= self.workbench.read(*self.source.reader, part.files, quiet)
        if wants:
            with suppress(Exception):  # facts that can't be had are done without
                facts |= self.workbench.facts(part.file, wants)
        return facts

    def adopt(self, part: Part, wants: tuple[str, ...]) -> None:
        """A copy that was made, but not written down, before the agent was killed."""
        there = self.lookout.look(part.path)
        if there is not None and there.fingerprint == part.fingerprint:
            self.spool.release([part.file.parent])  # the original is still there: the walk takes it anew
            return
        self._uncommitted = []
        try:
            outcome = self.finish(part, wants)
        except Incomplete as error:
            self.spool.release([part.file.parent])
            outcome = FileNote(file=_seen(part), state="gone", reason=f"it was gone before it was finished: {error}")
        except Deferred as error:
            self.log.warning("not taken up", source=self.source.name, part=part.id, reason=str(error))
            return  # at the next start
        if isinstance(outcome, Part):
            self.spool.amend([outcome])
            self._keep([outcome], [])
        else:
            self._keep([], [outcome])

    def _is_rename(self, twin: Part, part: Part) -> bool:
        """Same bytes, and the first one is gone; or the same path once more (sent again, touched, mounted anew)."""
        if twin.identity != part.identity:
            return False
        if twin.path == part.path:
            return self.ledger.newest(self.source.name, part.path) == twin.id
        there = self.lookout.look(twin.path)
        return there is None or there.fingerprint != twin.fingerprint

    # --- waiting on ---------------------------------------------------------------------------------------------------

    def _restart(self, waiting: WaitingFile, file: SeenFile | None) -> None:
        """It changed: quiet is counted anew."""
        now = self.clock.steady()
        if file and file.fingerprint != waiting.file.fingerprint:
            waiting.file, waiting.verdict = file, None
            waiting.since = waiting.still_since = now
        waiting.why = "is still changing"
        waiting.look_at = now + max(waiting.claim.quiet.total_seconds(), 0.05)

    def _wait(self, waiting: WaitingFile, why: str, seconds: float) -> None:
        waiting.why = why
        waiting.look_at = self.clock.steady() + max(seconds, 0.05)

    def _give_up(self, waiting: WaitingFile, why: str) -> FileNote | None:
        """Not finished: it is looked at when it changes, and after `give_up` listed, once."""
        now = self.clock.steady()
        end = waiting.since + self.source.give_up.total_seconds()
        if now >= end:
            return _note(waiting, "incomplete", why)
        # A hint tells of a change at once; where hints get lost, this look finds it.
        waited = now - waiting.since
        self._wait(waiting, why, min(max(waited / 2, 1.0), _PAUSE, end - now))
        return None

    def _unreadable(self, waiting: WaitingFile, why: str) -> FileNote | None:
        if self.clock.steady() >= waiting.since + self.source.give_up.total_seconds():
            return _note(waiting, "refused", why)
        self._wait(waiting, why, _PAUSE)
        return None

    def _forget(self, waiting: WaitingFile) -> None:
        """Its fate is written down. One that is gone is not marked: the very same may come back under this name."""
        self._drop(waiting)
        if self.lookout.look(waiting.file.path) is not None:
            self.known.add(self.lookout.mark(waiting.file))

    def _drop(self, waiting: WaitingFile) -> None:
        if self.waiting.get(waiting.file.path) is waiting:  # else another file has the name now
            del self.waiting[waiting.file.path]

    def _root(self, path: Path) -> Path:
        return next(root for root in self.source.watcher.roots if path.is_relative_to(root))


def _note(waiting: WaitingFile, state: Literal["gone", "refused", "incomplete"], reason: str) -> FileNote:
    return FileNote(file=waiting.file, state=state, reason=reason)


def _seen(part: Part) -> SeenFile:
    return SeenFile(
        path=part.path,
        size=part.size,
        mtime_ns=part.fingerprint.mtime_ns,
        ctime_ns=part.fingerprint.mtime_ns,
        device=part.fingerprint.device,
        inode=part.fingerprint.inode,
        owner=0,
        links=1,
        first_seen=part.seen_at,
    )


def leftovers(chapters: Iterable[Securing]) -> Iterator[tuple[Securing, WaitingFile]]:
    """Every file that still waits, with its source."""
    for securing in chapters:
        for waiting in securing.waiting.values():
            yield securing, waiting
