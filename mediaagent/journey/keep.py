"""Copies become parts for good: safe on disk, read, told from what is here already, and written down."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mediaagent.errors import Deferred, Incomplete, Unsecured
from mediaagent.journey.plan import Log, Source
from mediaagent.journey.waiting import PAUSE, Harvest, WaitingFile, WaitingRoom
from mediaagent.model import Facts, FileNote, Part, SeenFile, Verdict, printable
from mediaagent.ports import Ledger, Lookout, Spool, Workbench

__all__ = ["Keeping"]

Kept = list[tuple[WaitingFile, Part | FileNote]]


@dataclass(slots=True)
class Keeping:
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
        copied = harvest.copied
        try:
            if not self._settle(copied):
                copied = []
            return [*self._write_down(copied, harvest.ended), *harvest.ended]
        except Exception:
            self._take_back(copied)
            for waiting in harvest.files:
                self.room.wait(waiting, "could not be written down", PAUSE)
            raise

    def adopt(self, part: Part, wants: tuple[str, ...]) -> None:
        """A copy that was made, but not written down, before the agent was killed."""
        there = self.lookout.look(part.path)
        if there is not None and there.fingerprint == part.fingerprint:
            self.spool.release([part.file.parent])  # the original is still there: the walk takes it anew
            return
        self._uncommitted = []
        try:
            outcome = self._finish(part, wants)
        except Incomplete as error:
            self.spool.release([part.file.parent])
            outcome = FileNote(file=_seen(part), state="gone", reason=f"it was gone before it was finished: {error}")
        except Deferred as error:
            self.log.warning("not taken up", source=self.source.name, part=part.id, reason=str(error))
            return  # at the next start
        if isinstance(outcome, Part):
            self.spool.amend([outcome])
            self._commit([outcome], [])
        else:
            self._commit([], [outcome])

    # --- copies -------------------------------------------------------------------------------------------------------

    def _settle(self, copied: list[tuple[WaitingFile, Part]]) -> bool:
        """Whether the copies are safely on disk; where the disk refuses, their files wait on."""
        try:
            self.spool.settle([part for _, part in copied])
        except Unsecured as error:
            self.room.pause(str(error))
            for waiting, _ in copied:
                self.room.wait(waiting, str(error), PAUSE)
            return False
        return True

    def _take_back(self, copied: list[tuple[WaitingFile, Part]]) -> None:
        """Removes copies that the ledger does not know; the next start does so where not even that can be asked."""
        with suppress(Exception):
            unknown = [part for _, part in copied if self.ledger.newest(self.source.name, part.path) != part.id]
            self.spool.release(part.file.parent for part in unknown if part.files)

    def _write_down(self, copied: list[tuple[WaitingFile, Part]], ended: list[tuple[WaitingFile, FileNote]]) -> Kept:
        """Finishes new parts and keeps all in the ledger."""
        parts: list[Part] = []
        finished: Kept = []
        self._uncommitted = parts
        for waiting, part in copied:
            outcome = self._finished(waiting, part)
            if isinstance(outcome, Part):
                parts.append(outcome)
            if outcome is not None:
                finished.append((waiting, outcome))
        before = {part.id: part for _, part in copied}
        self.spool.amend([part for part in parts if part != before[part.id]])
        self._commit(parts, [outcome for _, outcome in (*ended, *finished) if isinstance(outcome, FileNote)])
        return finished

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

    def _finished(self, waiting: WaitingFile, part: Part) -> Part | FileNote | None:
        """The part for good, unless reading tells that its file has to wait on."""
        quiet = self.room.quiet(waiting)
        try:
            return self._finish(part, waiting.claim.wants, quiet)
        except Incomplete as error:
            self.spool.release([part.file.parent])
            if error.again and error.again > quiet:
                self.room.wait(waiting, str(error), (error.again - quiet).total_seconds())
                return None
            waiting.verdict = Verdict(False, part.media_type, str(error))
            return self.room.give_up(waiting, str(error))
        except Deferred as error:
            self.spool.release([part.file.parent])
            return self.room.unreadable(waiting, str(error))

    def _finish(self, part: Part, wants: tuple[str, ...], quiet: timedelta = timedelta(days=1)) -> Part | FileNote:
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

    def _is_rename(self, twin: Part, part: Part) -> bool:
        """Same bytes, and the first one is gone; or the same path once more (sent again, touched, mounted anew)."""
        if twin.identity != part.identity:
            return False
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
