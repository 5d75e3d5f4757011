"""One look at a waiting file: it is proven and copied, or noted, or waits on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mediaagent.errors import Changed, Gone, Refused, SpoolFull, Unreadable
from mediaagent.journey.plan import Log, Source
from mediaagent.journey.waiting import PAUSE, Harvest, WaitingFile, WaitingRoom, note_of
from mediaagent.model import Claim, FileNote, Part, SeenFile, Verdict, printable
from mediaagent.ports import Clock, Ledger, Lookout, Marks, Spool

__all__ = ["Looking"]

#: A file that needs no quiet is looked at again at once when it changes under our hands, so often.
_TRIES = 5
#: Where nothing changed for so long, nobody is renumbering: what stands alone there is so for good.
_RENUMBERED = 2.0


@dataclass(slots=True)
class Looking:
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

    def forget(self, waiting: WaitingFile) -> None:
        """Its fate is written down. One that is gone is not marked: the very same may come back under this name."""
        self.room.leave(waiting)
        if self.lookout.look(waiting.file.path) is not None:
            self.known.add(self.lookout.mark(waiting.file))

    def _look_safely(self, waiting: WaitingFile) -> Part | FileNote | None:
        """One file that surprises us must not stop the others."""
        try:
            return self._look(waiting)
        except OSError as error:  # the machine's trouble, such as a state disk that went away: no file is to blame
            self.room.pause(str(error))
            self.room.wait(waiting, self.room.full, PAUSE)
            return None
        except Exception as error:
            self.log.exception("unexpected", source=self.source.name, path=printable(waiting.file.path))
            return self.room.unreadable(waiting, f"{type(error).__name__}: {error}")

    def _look(self, waiting: WaitingFile) -> Part | FileNote | None:
        """A copy (not yet safe on disk), a note, or None when it waits on."""
        for _ in range(1 if waiting.claim.quiet else _TRIES):
            try:
                return self._look_once(waiting)
            except Changed:
                self.room.restart(waiting, self.lookout.look(waiting.file.path))
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
        if waiting.verdict and not waiting.verdict.whole and not self.room.anyhow(waiting):
            return self.room.give_up(waiting, waiting.verdict.reason)
        return self._secure(waiting)

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
            if claim.only and _is_other(waiting.verdict, claim):
                what = waiting.verdict.media_type
                return note_of(
                    waiting, "unwanted", f"it is {what}; of this name only {' or '.join(claim.only)} is taken"
                )
            if not waiting.verdict.whole:
                if not self.room.anyhow(waiting):
                    return self.room.give_up(waiting, waiting.verdict.reason)
                claim = replace(claim, facts={**claim.facts, "not_whole": waiting.verdict.reason})
            root = self._root(waiting.file.path)
            part = self.spool.secure(self.source.name, root, self._dated(waiting), claim, waiting.verdict)
            self.room.full = ""
        except Gone as gone:
            if waiting.claim.companions and self.lookout.look(waiting.file.path):
                raise Changed(str(gone)) from gone  # only a companion is, for now
            return note_of(waiting, "gone", "it was gone before it was finished")
        except Refused as refusal:
            return note_of(waiting, "refused", str(refusal))
        except SpoolFull as full:
            self.room.pause(str(full))
            self.room.wait(waiting, self.room.full, PAUSE)
            return None
        except Unreadable as error:
            return self.room.unreadable(waiting, str(error))
        return part

    def _dated(self, waiting: WaitingFile) -> SeenFile:
        """The file with the wall's time of its last change, as of now: the wall's clock may have been set since."""
        return replace(waiting.file, first_seen=self.clock.now() - self.room.quiet(waiting))

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

    def _root(self, path: Path) -> Path:
        return next(root for root in self.source.watcher.roots if path.is_relative_to(root))


def _is_other(verdict: Verdict, claim: Claim) -> bool:
    """It surely is of another kind. What has hardly begun may still become anything."""
    begun = verdict.whole or verdict.media_type != "application/octet-stream"
    return begun and verdict.media_type not in claim.only
