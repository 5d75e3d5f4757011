"""Copies become parts for good: read, told from what is here already, safe on disk, and written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from mediaagent.errors import Deferred, Incomplete, Unsecured
from mediaagent.journey.plan import Log, Source
from mediaagent.journey.waiting import PAUSE, Harvest, WaitingFile, WaitingRoom
from mediaagent.model import Facts, FileNote, Part, SeenFile, printable
from mediaagent.ports import Ledger, Lookout, Spool, Workbench

__all__ = ["Keeping"]

Kept = list[tuple[WaitingFile, Part | FileNote]]


class Keeping(Struct):
    """One source's memory of what became of its files."""

    source: Source
    lookout: Lookout
    ledger: Ledger
    spool: Spool
    workbench: Workbench
    log: Log
    room: WaitingRoom
    newest: str = ""  # id of the part that was kept last
    _uncommitted: list[Part] = field(default_factory=list)

    def keep(self, harvest: Harvest) -> Kept:
        """Writes a harvest down. Returns what became of the files that need not wait on."""
        self._uncommitted = []
        try:
            kept = [*self._settled([*self._finished(harvest.copied)]), *harvest.ended]
            parts = [outcome for _, outcome in kept if isinstance(outcome, Part)]
            self._commit(parts, [outcome for _, outcome in kept if isinstance(outcome, FileNote)])
        except Exception:
            self._take_back(part for _, part in harvest.copied)
            for waiting in harvest.files:
                self.room.wait(waiting, "could not be written down", PAUSE)
            raise
        return kept

    def adopt(self, part: Part) -> None:
        """A copy that was made, but not written down, before the agent was killed."""
        there = self.lookout.look(part.path)
        if there is not None and there.fingerprint == part.fingerprint:
            self.spool.discard([part])  # the original is still there: the walk takes it anew
        else:
            self._commit([part], [])

    # --- copies -------------------------------------------------------------------------------------------------------

    def _finished(self, copied: list[tuple[WaitingFile, Part]]) -> Iterator[tuple[WaitingFile, Part | FileNote]]:
        for waiting, part in copied:
            outcome = self._finished_one(waiting, part)
            if isinstance(outcome, Part):
                self._uncommitted.append(outcome)
            if outcome is not None:
                yield waiting, outcome

    def _settled(self, finished: Kept) -> Kept:
        """The same, with copies safe on disk; where the disk refuses, all of their files wait on."""
        try:
            settled = self.spool.settle([outcome for _, outcome in finished if isinstance(outcome, Part)])
        except Unsecured as error:
            for waiting, _ in finished:
                self.room.turn_away(waiting, str(error))
            return []
        safe = {part.id: part for part in settled}
        return [(waiting, safe[each.id] if isinstance(each, Part) else each) for waiting, each in finished]

    def _take_back(self, parts: Iterable[Part]) -> None:
        """Removes copies that the ledger does not know; the next start does so where not even that can be asked."""
        with suppress(Exception):
            self.spool.discard([part for part in parts if not self.ledger.has_part(part.id)])

    def _commit(self, parts: list[Part], notes: list[FileNote]) -> None:
        if parts:
            self.ledger.keep(parts)
            self.newest = parts[-1].id
        if notes:
            self.ledger.note(self.source.name, notes)
        for part in parts:
            self.log.info("secured", source=self.source.name, part=part.id, name=part.name, role=part.role)
        for note in notes:
            self.log.info(note.state, source=self.source.name, path=printable(note.file.path), reason=note.reason)

    # --- one copy -----------------------------------------------------------------------------------------------------

    def _finished_one(self, waiting: WaitingFile, part: Part) -> Part | FileNote | None:
        """The part for good, unless reading tells that its file has to wait on."""
        quiet = self.room.quiet(waiting)
        try:
            return self._finish(part, waiting.claim.wants, quiet)
        except Incomplete as error:
            self.spool.discard([part])
            if error.again and error.again > quiet:
                self.room.wait(waiting, str(error), (error.again - quiet).total_seconds())
                return None
            waiting.lacks = str(error)
            return self.room.give_up(waiting, waiting.lacks)
        except Deferred as error:
            self.spool.discard([part])
            return self.room.unreadable(waiting, str(error))

    def _finish(self, part: Part, wants: tuple[str, ...], quiet: timedelta) -> Part | FileNote:
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
                self.spool.discard([part])
                reason = f"the same content as {twin.name}"
                return FileNote(file=_seen(part), state="renamed", reason=reason, part=twin.id)
        part = replace(part, copy=max((twin.copy for twin in twins), default=0) + 1)
        return replace(part, facts=self._facts(part, wants, quiet))

    def _is_rename(self, twin: Part, part: Part) -> bool:
        """Same bytes, and the first one is gone; or the very same file, whose folder may change its name and change it
        back while we look; or the same path once more (sent again, touched, mounted anew)."""
        if twin.identity != part.identity:
            return False
        if twin.fingerprint == part.fingerprint and twin.path != part.path:
            return True
        if twin.path == part.path:
            return self.ledger.newest(self.source.name, part.path) == twin.id
        there = self.lookout.look(twin.path)
        return there is None or there.fingerprint != twin.fingerprint

    def _facts(self, part: Part, wants: tuple[str, ...], quiet: timedelta) -> Facts:
        facts = dict(part.facts)
        if self.source.reader:
            facts |= self.workbench.read(*self.source.reader, part.files, quiet)
        if wants:
            with suppress(Exception):  # facts that can't be had are done without
                facts |= self.workbench.facts(part.file, wants)
        return facts


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
