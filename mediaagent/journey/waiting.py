"""Files that are claimed and not finished: what each waits for, and when it is looked at next."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from mediaagent.model import Claim, FileNote, Fingerprint, Part, SeenFile
from mediaagent.ports import Clock

__all__ = ["PAUSE", "Harvest", "WaitingFile", "WaitingRoom", "note_of"]

#: A file that could not be read, or found no room, is tried again after so many seconds.
PAUSE = 10.0
#: So long after it should have been taken a file holds up what it belongs to.
_SLACK = timedelta(seconds=3)
#: So long a disk that is full, or fails, keeps open what it cut short.
_HOPE = 600.0
#: Looks in one go.
_LOOKS = 512


class WaitingFile(Struct):
    """A claimed file that is not (proven to be) finished."""

    file: SeenFile
    claim: Claim
    since: float  # steady time of the last change that we know of
    look_at: float  # steady time of the next look
    lacks: str = ""  # why its content, in this very state, is not whole
    hand: tuple[Fingerprint | None, ...] | None = None  # its companions', as they were at the last look
    still_since: float = 0.0  # steady time since which we ourselves have seen no change
    why: str = "waits to be quiet"
    hoped_until: float = 0.0  # steady time until which there may well be room for it, though there was none


class WaitingRoom(Struct):
    """One source's waiting files. Where the spool has no room, all of them pause."""

    clock: Clock
    give_up_after: timedelta
    files: dict[Path, WaitingFile] = field(default_factory=dict)
    full: str = ""  # why securing is paused; "" when it is not
    _open_at: float = 0.0  # steady time before which a full spool is not asked again
    _hopeful_until: float = 0.0  # steady time until which a full disk may well have room again by itself

    def enter(self, file: SeenFile, claim: Claim, age: timedelta) -> WaitingFile:
        """A file begins to wait; it has not changed for `age`."""
        now = self.clock.steady()
        since = now - age.total_seconds()
        due = max(since + claim.quiet.total_seconds(), now)
        waiting = self.files[file.path] = WaitingFile(file, claim, since, due, still_since=now)
        return waiting

    def leave(self, waiting: WaitingFile) -> None:
        if self.files.get(waiting.file.path) is waiting:  # else another file has the name now
            del self.files[waiting.file.path]

    # --- when ---------------------------------------------------------------------------------------------------------

    def due(self) -> list[WaitingFile]:
        """Files that are to be looked at now, by name; not more than can be looked at in one go."""
        now = self.clock.steady()
        due = [waiting for waiting in self.files.values() if waiting.look_at <= now][:_LOOKS]
        # By name, which for cameras is by time: where the spool gets full, what is secured has no gaps.
        return sorted(due, key=lambda waiting: waiting.file.path)

    @property
    def next_look(self) -> float | None:
        """Steady time of the first look; None when nothing waits."""
        first = min((waiting.look_at for waiting in self.files.values()), default=None)
        return max(first, self._open_at) if first is not None and self.full else first

    def quiet(self, waiting: WaitingFile) -> timedelta:
        """For how long it has not changed."""
        return timedelta(seconds=self.clock.steady() - waiting.since)

    def wake(self, path: Path) -> None:
        """Something was said of this file: look at it now, unless it was copied and is to be written down anyway."""
        waiting = self.files.get(path)
        if waiting and waiting.look_at != float("inf"):
            waiting.look_at = self.clock.steady()

    # --- pausing ------------------------------------------------------------------------------------------------------

    @property
    def shut(self) -> bool:
        """One try finds out whether there is room; until then the others need not ask."""
        return bool(self.full) and self.clock.steady() < self._open_at

    @property
    def hopeful(self) -> bool:
        """It is paused by a disk that was full, or failed, not long ago; what it lacks may come yet."""
        return bool(self.full) and self.clock.steady() < self._hopeful_until

    def pause(self, why: str, *, by_limit: bool = False) -> None:
        if not self.full:
            self._hopeful_until = 0.0 if by_limit else self.clock.steady() + _HOPE
        self.full = why
        self._open_at = self.clock.steady() + PAUSE

    def resume(self) -> None:
        """There is room again: files that found none are looked at now."""
        if self.full:
            for waiting in self.files.values():
                if waiting.why == self.full:
                    waiting.look_at = self.clock.steady()
            self.full, self._open_at = "", 0.0

    # --- waiting on ---------------------------------------------------------------------------------------------------

    def restart(self, waiting: WaitingFile, file: SeenFile | None) -> None:
        """It changed: quiet is counted anew."""
        now = self.clock.steady()
        if file and file.fingerprint != waiting.file.fingerprint:
            waiting.file, waiting.lacks = file, ""
            waiting.since = waiting.still_since = now
        waiting.why = "is still changing"
        waiting.look_at = now + max(waiting.claim.quiet.total_seconds(), 0.05)

    def wait(self, waiting: WaitingFile, why: str, seconds: float) -> None:
        waiting.why = why
        waiting.look_at = self.clock.steady() + max(seconds, 0.05)

    def give_up(self, waiting: WaitingFile, why: str) -> FileNote | None:
        """Not finished: it is looked at when it changes, and after `give_up_after` listed, once."""
        now = self.clock.steady()
        end = waiting.since + self.give_up_after.total_seconds()
        if now >= end:
            return note_of(waiting, "incomplete", why)
        # A hint tells of a change at once; where hints get lost, this look finds it.
        waited = now - waiting.since
        anyhow = waiting.claim.anyhow
        left = anyhow.total_seconds() - waited if anyhow is not None else PAUSE
        self.wait(waiting, why, min(max(waited / 2, 1.0), PAUSE, left, end - now))
        return None

    def anyhow(self, waiting: WaitingFile) -> bool:
        """Whether it has not changed for so long that it is taken though it isn't whole."""
        return waiting.claim.anyhow is not None and self.quiet(waiting) >= waiting.claim.anyhow

    def turn_away(self, waiting: WaitingFile, why: str, *, by_limit: bool = False) -> None:
        """There was no room for it. What belongs to it waits with it for a while, also when something smaller finds
        room meanwhile; but not where only what is posted makes room (`by_limit`)."""
        self.pause(why, by_limit=by_limit)
        if not waiting.hoped_until and not by_limit:
            waiting.hoped_until = self.clock.steady() + _HOPE
        self.wait(waiting, self.full, PAUSE)

    def unfinished(self) -> set[str]:
        """`Claim.together` of files that still change, or did lately, or found no room lately; one that waits for
        longer holds up nobody."""
        now = self.clock.steady()
        return {
            waiting.claim.together
            for waiting in self.files.values()
            if waiting.claim.together and (now < waiting.hoped_until or self.quiet(waiting) <= _patience(waiting.claim))
        }

    def unreadable(self, waiting: WaitingFile, why: str) -> FileNote | None:
        """It can't be read for now; after `give_up_after` it is listed, once."""
        if self.clock.steady() >= waiting.since + self.give_up_after.total_seconds():
            return note_of(waiting, "refused", why)
        self.wait(waiting, why, PAUSE)
        return None


class Harvest(Struct):
    """What looks have led to, and nothing of it written down yet."""

    copied: list[tuple[WaitingFile, Part]] = field(default_factory=list)  # not yet safe on disk
    ended: list[tuple[WaitingFile, FileNote]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.copied or self.ended)

    def add(self, waiting: WaitingFile, outcome: Part | FileNote) -> None:
        waiting.look_at = float("inf")  # until its fate is written down
        if isinstance(outcome, Part):
            self.copied.append((waiting, outcome))
        else:
            self.ended.append((waiting, outcome))

    def holds(self, file: SeenFile) -> bool:
        """Whether it was copied a moment ago, perhaps under an earlier name."""
        return any(held.file.fingerprint == file.fingerprint for held, _ in self.copied)

    def reap(self) -> Harvest:
        """All of it, which is then gone from here."""
        reaped = Harvest(self.copied, self.ended)
        self.copied, self.ended = [], []
        return reaped

    @property
    def files(self) -> list[WaitingFile]:
        return [waiting for waiting, _ in (*self.copied, *self.ended)]


def note_of(waiting: WaitingFile, state: Literal["gone", "refused", "incomplete", "unwanted"], reason: str) -> FileNote:
    return FileNote(file=waiting.file, state=state, reason=reason)


def _patience(claim: Claim) -> timedelta:
    return max(claim.quiet, claim.anyhow or timedelta(0)) + _SLACK
