"""First chapter: a seen file is claimed, waits until it is finished, and becomes a part of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from mediaagent.journey.keep import Keeping
from mediaagent.journey.look import Looking
from mediaagent.journey.plan import Log, Source
from mediaagent.journey.waiting import Harvest, WaitingFile, WaitingRoom
from mediaagent.model import Claim, FileNote, Ignored, Part, SeenFile, printable
from mediaagent.ports import Clock, Ledger, Lookout, Marks, Spool, Workbench

__all__ = ["Securing", "WaitingFile", "leftovers"]

#: Parts that are committed together at the most: one commit costs one flush of the disk.
_BATCH = 64
#: What lay there when a source was first started, and has not changed for so long, is not still growing.
_SETTLED = timedelta(seconds=60)


class Securing:
    """One source's files on their way to parts."""

    def __init__(
        self,
        source: Source,
        lookout: Lookout,
        ledger: Ledger,
        spool: Spool,
        workbench: Workbench,
        clock: Clock,
        log: Log,
        known: Marks,
        private: Callable[[Path], bool] = lambda path: False,
    ) -> None:
        """`private`: whether a file is one of the agent's own settings and keys."""
        self.source = source
        self.known = known
        self.renumbered: set[Path] = set()  # folders in which names changed hands: walk them
        self._lookout = lookout
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._private = private
        self._harvest = Harvest()
        self._taken = 0  # parts that were made before `take` was called
        room = self._room = WaitingRoom(clock, source.give_up)
        self._looking = Looking(source, lookout, ledger, spool, clock, log, known, room, self._harvest)
        self._keeping = Keeping(source, lookout, ledger, spool, workbench, log, room)

    # --- seeing -------------------------------------------------------------------------------------------------------

    def notice(self, file: SeenFile, *, trust_ctime: bool = False, baseline: datetime | None = None) -> FileNote | None:
        """A file was seen: claimed, it begins to wait. Returns a note where it is part of the baseline instead.

        `trust_ctime`: this is the first walk after a start, so what we did not see ourselves its ctime tells.
        `baseline`: the source was first started then; what had settled before is not for posting.
        """
        claim = self._claim(file)
        if isinstance(claim, Ignored):
            self.known.add(self._lookout.mark(file))
            if claim.about:
                self._room.wake(claim.about)
            return None
        before = self.waiting.get(file.path)
        if before and before.file.fingerprint == file.fingerprint:
            return None
        if known := self._ledger.recall(self.source.name, file):
            self.known.add(self._lookout.mark(file))
            if claim.series and known == "renamed":
                self.renumbered.add(file.path.parent)
            return None
        if baseline and file.ctime_ns / 1e9 < (baseline - _SETTLED).timestamp():
            self.known.add(self._lookout.mark(file))
            return FileNote(file=file, state="baseline", reason="lay there before the source was first started")
        waiting = self._room.enter(file, claim, self._age(file) if trust_ctime else timedelta(0))
        if not claim.quiet and not self.full:
            self._copy_now(waiting)
        return None

    def _claim(self, file: SeenFile) -> Claim | Ignored:
        if self._private(file.path):
            return Ignored("the agent's own settings or key")
        try:
            return self.source.watcher.claim(file)
        except Exception:  # a plug-in's turn
            self._log.exception("watcher failed", source=self.source.name, path=printable(file.path))
            return Ignored("the watcher failed on it; see the log")

    def _age(self, file: SeenFile) -> timedelta:
        """How long ago the file changed, by its ctime; nothing for a ctime that lies in the future."""
        seconds = self._clock.now().timestamp() - file.ctime_ns / 1e9
        return timedelta(seconds=min(max(seconds, 0.0), 1e9))

    def _copy_now(self, waiting: WaitingFile) -> None:
        """What needs no quiet is copied as soon as it is seen: a moment later it may have another name."""
        if self._harvest.holds(waiting.file):
            self._room.leave(waiting)
            return
        self._looking.look(waiting)
        if len(self._harvest.copied) >= _BATCH:
            self._taken += self._write_down()

    # --- taking -------------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> dict[Path, WaitingFile]:
        """Claimed files that are not finished, by path."""
        return self._room.files

    @property
    def full(self) -> str:
        """Why securing is paused; "" when it is not."""
        return self._room.full

    @property
    def hopeful(self) -> bool:
        """Securing is paused, but probably not for long."""
        return self._room.hopeful

    @property
    def newest(self) -> str:
        """The id of the part that was secured last."""
        return self._keeping.newest

    @property
    def unfinished(self) -> set[str]:
        """`Claim.together` of files that are still being written."""
        return self._room.unfinished()

    def next_look(self) -> float | None:
        """Steady time at which `take` will have something to do."""
        return self._clock.steady() if self._harvest else self._room.next_look

    def take(self, turning: Callable[[], bool] = lambda: True) -> int:
        """Secures what is finished. Returns how many parts were made; call again while it returns any.

        `turning` is asked before each file: whether to go on."""
        if self._room.shut and not self._harvest:
            return 0
        due = self._room.due()
        taken, self._taken = self._taken, 0
        if self._harvest:
            taken += self._write_down()
        for start in range(0, len(due), _BATCH):
            taken += self._take_batch(due[start : start + _BATCH], turning)
            if self.full or not turning():
                break
        return taken

    def retry(self) -> None:
        """There is room again: files that found none are looked at now."""
        self._room.resume()

    def adopt(self, part: Part) -> None:
        """A copy that was made, but not written down, before the agent was killed."""
        self._keeping.adopt(part)

    def _take_batch(self, batch: list[WaitingFile], turning: Callable[[], bool]) -> int:
        for waiting in batch:
            if not turning():
                break
            self._looking.look(waiting)
            if self.full:
                break
        return self._write_down()

    def _write_down(self) -> int:
        """Nothing is forgotten before what became of it is written down. Returns how many parts were made."""
        kept = self._keeping.keep(self._harvest.reap())
        for waiting, outcome in kept:
            gone = isinstance(outcome, FileNote) and outcome.state == "gone"
            self._looking.forget(waiting, gone=gone)
        return sum(isinstance(outcome, Part) for _, outcome in kept)


def leftovers(chapters: Iterable[Securing]) -> Iterator[tuple[Securing, WaitingFile]]:
    """Every file that still waits, with its source."""
    for securing in chapters:
        for waiting in securing.waiting.values():
            yield securing, waiting
