"""One look at a waiting file: it is proven and copied, or noted, or waits on."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mediaagent.errors import Changed, Gone, Incomplete, Refused, Renumbered, SpoolFull, Unreadable, Unwanted
from mediaagent.journey.plan import Log, Source
from mediaagent.journey.waiting import Harvest, WaitingFile, WaitingRoom, note_of
from mediaagent.model import Claim, FileNote, Part, SeenFile, printable
from mediaagent.ports import Clock, Ledger, Lookout, Marks, Spool

__all__ = ["Looking"]

#: A file that needs no quiet is looked at again at once when it changes under our hands, so often.
_TRIES = 5
#: Where nothing changed for so long, nobody is renumbering: what stands alone there is so for good.
_RENUMBERED = 2.0


class Looking(Struct):
    """One source's eyes."""

    source: Source
    lookout: Lookout
    ledger: Ledger
    spool: Spool
    clock: Clock
    log: Log
    known: Marks
    room: WaitingRoom
    harvest: Harvest

    def look(self, waiting: WaitingFile) -> None:
        """Puts a copy, or what is to be noted, into the harvest; else the file waits on."""
        outcome = self._look_safely(waiting)
        if outcome is not None:
            self.harvest.add(waiting, outcome)

    def forget(self, waiting: WaitingFile, *, gone: bool = False) -> None:
        """Its fate is written down. One that is gone is not marked: the very same may come back under this name, and
        may be back already."""
        self.room.leave(waiting)
        if not gone and self.lookout.look(waiting.file.path) is not None:
            self.known.add(self.lookout.mark(waiting.file))

    def _look_safely(self, waiting: WaitingFile) -> Part | FileNote | None:
        """One file that surprises us must not stop the others."""
        try:
            return self._look(waiting)
        except OSError as error:  # the machine's trouble, such as a state disk that went away: no file is to blame
            self.room.turn_away(waiting, str(error))
            return None
        except Exception as error:
            self.log.exception("unexpected", source=self.source.name, path=printable(waiting.file.path))
            return self.room.unreadable(waiting, f"{type(error).__name__}: {error}")

    def _look(self, waiting: WaitingFile) -> Part | FileNote | None:
        """A copy (not yet safe on disk), a note, or None when it waits on."""
        for _ in range(1 if waiting.claim.quiet else _TRIES):
            try:
                return self._look_once(waiting)
            except Changed as changed:
                self.room.restart(waiting, self.lookout.look(waiting.file.path))
                if isinstance(changed, Renumbered):
                    break
        return None

    def _look_once(self, waiting: WaitingFile) -> Part | FileNote | None:
        file = self.lookout.look(waiting.file.path)
        if file is None:
            return note_of(waiting, "gone", "it was gone before it was finished")
        if file.fingerprint != waiting.file.fingerprint:
            if waiting.claim.quiet:
                raise Changed(f"{printable(file.path)} has changed")
            self.room.restart(waiting, file)
            if self.harvest.holds(file):
                self.room.leave(waiting)
                return None
            if self.ledger.recall(self.source.name, file):  # one that we have was renamed over it
                self.forget(waiting)
                return None
        self._look_at_hand(waiting)
        if waiting.claim.done and self.lookout.look(waiting.claim.done) is None:
            return self.room.give_up(waiting, f"waits for {printable(waiting.claim.done.name)}")
        if waiting.lacks and not self.room.anyhow(waiting):
            return self.room.give_up(waiting, waiting.lacks)
        return self._secure(waiting)

    def _look_at_hand(self, waiting: WaitingFile) -> None:
        """A companion that came, went or changed makes the file a new one."""
        looks = [self.lookout.look(path) for paths in waiting.claim.hand.values() for path in paths]
        hand = tuple(look.fingerprint if look else None for look in looks)
        if waiting.hand is not None and waiting.hand != hand:
            waiting.lacks, waiting.hand = "", hand
            waiting.since = waiting.still_since = self.clock.steady()
            if waiting.claim.quiet:
                raise Changed(f"what belongs to {printable(waiting.file.path)} has changed")
        waiting.hand = hand

    def _secure(self, waiting: WaitingFile) -> Part | FileNote | None:
        try:
            root = self._root(waiting.file.path)
            file, claim, anyhow = self._dated(waiting), self._claim(waiting), self.room.anyhow(waiting)
            part = self.spool.secure(self.source.name, root, file, claim, anyhow=anyhow)
            self.room.full = ""
        except Unwanted as error:
            return note_of(waiting, "unwanted", str(error))
        except Incomplete as error:
            waiting.lacks = str(error)
            return self.room.give_up(waiting, waiting.lacks)
        except Gone as gone:
            if self.lookout.look(waiting.file.path) and waiting.claim.companions:
                raise Changed(str(gone)) from gone  # only a companion is, for now
            if self.lookout.look(waiting.file.path):
                return self.room.unreadable(waiting, f"{gone}, was for a moment, or lies behind a link")
            return note_of(waiting, "gone", "it was gone before it was finished")
        except Refused as refusal:
            return note_of(waiting, "refused", str(refusal))
        except SpoolFull as full:
            self.room.turn_away(waiting, str(full), by_limit=full.by_limit)
            return None
        except Unreadable as error:
            return self.room.unreadable(waiting, str(error))
        return part

    def _dated(self, waiting: WaitingFile) -> SeenFile:
        """The file with the wall's time of its last change, as of now: the wall's clock may have been set since."""
        return replace(waiting.file, first_seen=self.clock.now() - self.room.quiet(waiting))

    def _claim(self, waiting: WaitingFile) -> Claim:
        settled = self.clock.steady() - waiting.still_since >= _RENUMBERED
        return replace(waiting.claim, series="") if settled else waiting.claim

    def _root(self, path: Path) -> Path:
        return next(root for root in self.source.watcher.roots if path.is_relative_to(root))
