"""The rounds: hints and walks lead to files, finished files to parts, whole sightings to events."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from mediaagent.journey.gather import Unsecured, gather
from mediaagent.journey.intake import Intake
from mediaagent.journey.plan import Log, Source
from mediaagent.journey.secure import Securing
from mediaagent.model import FileNote, Hint, SeenFile, printable
from mediaagent.ports import Clock, Ledger, Lookout, Outbox
from mediaagent.rules.schedule import walk_every

__all__ = ["Baselines", "Watching"]

#: Notes of the baseline that are written in one transaction.
_BATCH = 5000
#: A watcher's grouping that failed is asked again after so many seconds.
_AFTER_FAILURE = 60.0
#: After so many seconds of a flood that does not end, files that are events by themselves become such.
_FLOOD = 5.0
#: Grouping takes at most one part in so many of the time.
_REST = 20
#: Files that we have and that were renamed are written down after so many seconds: a flush of the disk for each round
#: would be dear where a producer renumbers, and a rename that a kill forgets is seen again.
_RENAMES = 1.0


class Baselines(Protocol):
    """When each source began to watch a folder."""

    def begun(self, source: str, root: Path) -> datetime | None:
        """The time of the first start, while its baseline is not complete; None once it is."""

    def complete(self, source: str, root: Path) -> None: ...


class Watching(Struct):
    """All sources, watched by one thread."""

    chapters: Mapping[str, Securing]  # by source
    outbox: Outbox
    ledger: Ledger
    lookout: Lookout
    baselines: Baselines
    clock: Clock
    log: Log
    rescan: timedelta
    trouble: Callable[[str, str], None]  # (where, what); "" when it is over
    intake: Intake | None = None
    hints: bool = True  # False: the lookout has none, so a walk alone tells what came
    wake: Callable[[], None] = lambda: None  # called from the lookout's threads when there is a hint
    turning: Callable[[], bool] = lambda: True  # called between two files: whether to go on
    _hints: queue.SimpleQueue[Hint] = field(default_factory=queue.SimpleQueue)
    _gather_at: dict[str, float] = field(default_factory=dict)  # source -> steady time
    _flood_at: dict[str, float] = field(default_factory=dict)  # source -> steady time at which it has lasted too long
    _rest_until: dict[str, float] = field(default_factory=dict)  # source -> steady time
    _troubled: dict[Path, set[str]] = field(default_factory=dict)  # root -> where its last walk met trouble
    _walk_at: float = 0.0
    _walked_at: datetime | None = None  # when the last walk began
    _walk_soonest: float = 0.0  # however often somebody asks
    _asked: bool = False
    _renames_at: float = float("inf")  # steady time at which renames are written down
    _first: bool = True

    def start(self) -> None:
        """Watches first, then walks: what comes between is seen twice, never not at all."""
        for name, securing in self.chapters.items():
            for path, print_ in self.ledger.known(name):
                securing.known.add(self.lookout.mark(_known_file(path, print_)))
        self.lookout.watch(self.roots, self.report)
        self._walk_all()
        self._first = False
        for source in self.sources:
            self._gather_at[source.name] = 0.0

    @property
    def sources(self) -> list[Source]:
        """All that parts come from."""
        watched = [securing.source for securing in self.chapters.values()]
        return [*watched, self.intake.source] if self.intake else watched

    @property
    def roots(self) -> tuple[Path, ...]:
        found = (root for source in self.sources for root in source.watcher.roots)
        return tuple(dict.fromkeys(found))

    def report(self, hint: Hint) -> None:
        """Takes a hint from any thread."""
        self._hints.put(hint)
        self.wake()

    def look_now(self) -> None:
        """Lets the next round walk, from any thread; walks that are asked for are no dearer than others."""
        self._asked = True

    def round(self) -> tuple[Counter[str], float]:
        """Does everything that is due. Returns what became of sightings, and the seconds until the next round."""
        self._follow_hints()
        if self.clock.steady() >= self._next_walk():
            self._walk_all()
        if self.clock.steady() >= self._renames_at:
            self._renames_at = float("inf")
            self.ledger.note("", ())
        done: Counter[str] = Counter()
        if self.intake:
            done += self._take_in(self.intake)
        for name, securing in self.chapters.items():
            if securing.take(self.turning):
                self._gather_soon(name)
            if self._gather_due(name):
                flooded = self._more_due(securing)
                if not flooded or self._too_long(name):
                    done += self._gather(securing.source, securing, flooded=flooded)
        return done, self._until_next()

    def _take_in(self, intake: Intake) -> Counter[str]:
        """What other programs hand over is whole as it comes."""
        if intake.take():
            self._gather_soon(intake.source.name)
        return self._gather(intake.source) if self._gather_due(intake.source.name) else Counter()

    def _gather_soon(self, name: str) -> None:
        self._gather_at[name] = min(self._gather_at.get(name, float("inf")), self._rest_until.get(name, 0.0))

    def _gather_due(self, name: str) -> bool:
        return self._gather_at.get(name, float("inf")) <= self.clock.steady()

    def _more_due(self, securing: Securing) -> bool:
        """Gathering costs what is open, and events that lack what waits grow with it: a flood is secured first."""
        look = securing.next_look()
        return look is not None and look <= self.clock.steady() and not securing.full

    def _too_long(self, name: str) -> bool:
        """A flood that goes on for minutes must not keep what came first."""
        return self.clock.steady() >= self._flood_at.setdefault(name, self.clock.steady() + _FLOOD)

    def _gather(self, source: Source, securing: Securing | None = None, *, flooded: bool = False) -> Counter[str]:
        begun = self.clock.steady()
        self._flood_at.pop(source.name, None)
        try:
            unsecured = self._unsecured(securing, flooded)
            done, again, failure = gather(source, self.outbox, self.clock, self.log, unsecured)
        except Exception as error:  # a plug-in's turn
            self.log.exception("grouping failed", source=source.name)
            done, again, failure = Counter(), None, str(error)
        where, what = f"watch.{source.name}", f"its files could not be gathered into events: {failure}"
        self.trouble(where, what if failure else "")
        if failure:
            self._gather_at[source.name] = self.clock.steady() + _AFTER_FAILURE
            return done
        now = self.clock.steady()
        # A pass costs what is open; in an event of hours, each new frame must not cost a pass of its own.
        self._rest_until[source.name] = now + (now - begun) * _REST
        wait = (again - self.clock.now()).total_seconds() if again else float("inf")
        self._gather_at[source.name] = now + max(wait, 0.01)
        return done

    def _unsecured(self, securing: Securing | None, flooded: bool) -> Unsecured:
        walked_at = None if self.hints else self._walked_at
        if securing is None:
            return Unsecured(walked_at=walked_at)
        paused_after = securing.newest if securing.full else ""
        return Unsecured(paused_after, securing.hopeful, securing.unfinished, flooded, walked_at)

    def _until_next(self) -> float:
        due = [self._next_walk(), self._renames_at, *self._gather_at.values()]
        due += [look for securing in self.chapters.values() if (look := securing.next_look()) is not None]
        wait = min(due) - self.clock.steady()
        at_once = not self._hints.empty() or (self.intake is not None and self.intake.more)
        return 0.0 if at_once else max(wait, 0.0)

    @property
    def growing(self) -> bool:
        """Something is waiting to be taken, to be finished or to be whole."""
        if self.intake is not None and self.intake.more:
            return True
        return any(securing.waiting for securing in self.chapters.values()) or any(
            at != float("inf") for at in self._gather_at.values()
        )

    # --- hints --------------------------------------------------------------------------------------------------------

    def _follow_hints(self) -> None:
        """Everything that was reported, each file and folder once."""
        files: dict[Path, None] = {}
        folders: dict[Path, None] = {}
        while True:
            try:
                hint = self._hints.get_nowait()
            except queue.Empty:
                break
            if hint.kind == "changed" and hint.path:
                files[hint.path] = None
            elif hint.kind in ("folder", "root") and hint.path:
                folders[hint.path] = None
                if hint.kind == "root":
                    self._tell(hint)
            elif hint.kind == "overflow":
                self.log.warning("hints were lost, walking instead", detail=hint.detail)
                self._walk_at = 0.0
            else:
                self._tell(hint)
        for folder in folders:
            self._walk(folder)
        for file in filter(None, map(self.lookout.look, files)):
            if not self.turning():
                break  # the next start walks
            self._notice(file)
        self._walk_renumbered()
        if files or folders:
            self._renames_at = min(self._renames_at, self.clock.steady() + _RENAMES)

    def _walk_renumbered(self) -> None:
        """Where names change hands all the time, looks at single names may never meet a file; a walk does."""
        for securing in self.chapters.values():
            folders, securing.renumbered = securing.renumbered, set()
            for folder in folders:
                self._walk_for(securing, folder)

    def _tell(self, hint: Hint) -> str:
        """Keeps a trouble (or, without detail, that it is over) for the owner. Returns where it is."""
        where = printable(hint.path) if hint.path else "watching"
        self.trouble(where, hint.detail)
        if hint.detail:
            self.log.warning("trouble", where=where, detail=hint.detail)
        return where

    def _told(self, hint: Hint) -> None:
        self._tell(hint)

    def _notice(self, file: SeenFile) -> None:
        for securing in self._of(file.path):
            securing.notice(file)

    def _of(self, path: Path) -> Iterator[Securing]:
        for securing in self.chapters.values():
            if any(path.is_relative_to(root) for root in securing.source.watcher.roots):
                yield securing

    # --- walks --------------------------------------------------------------------------------------------------------

    def _next_walk(self) -> float:
        return min(self._walk_at, self._walk_soonest) if self._asked else self._walk_at

    def _walk_all(self) -> None:
        started = self.clock.steady()
        self._asked = False
        for securing in self.chapters.values():
            with securing.known.sweep():
                for root in securing.source.watcher.roots:
                    self._walk_root(securing, root)
        took = timedelta(seconds=self.clock.steady() - started)
        self._walk_at = self.clock.steady() + walk_every(self.rescan, took).total_seconds()
        self._walk_soonest = self.clock.steady() + walk_every(timedelta(0), took).total_seconds()

    def _walk_root(self, securing: Securing, root: Path) -> None:
        source = securing.source
        begun = self.baselines.begun(source.name, root)
        since = begun if source.existing == "ignore" else None
        notes: list[FileNote] = []
        troubled: set[str] = set()
        complete = True

        def told(hint: Hint) -> None:
            nonlocal complete
            complete = complete and not hint.detail
            troubled.add(self._tell(hint))

        for file in self.lookout.walk(root, securing.known, told):
            if not self.turning():
                return
            note = securing.notice(file, trust_ctime=self._first, baseline=since)
            if note:
                notes.append(note)
            if len(notes) >= _BATCH:
                self.ledger.note(source.name, notes)
                notes.clear()
        self.ledger.note(source.name, notes)
        # A walk tells of its troubles each time, so what it does not tell of is over.
        for where in self._troubled.get(root, set()) - troubled | ({printable(root)} if complete else set()):
            self.trouble(where, "")
        self._troubled[root] = troubled
        if complete and begun is not None:
            self.baselines.complete(source.name, root)

    def _walk(self, folder: Path) -> None:
        for securing in self._of(folder):
            self._walk_for(securing, folder)

    def _walk_for(self, securing: Securing, folder: Path) -> None:
        for file in self.lookout.walk(folder, securing.known, self._told):
            if not self.turning():
                return  # the next start walks
            securing.notice(file)


def _known_file(path: Path, print_: tuple[int, int, int, int]) -> SeenFile:
    device, inode, size, mtime_ns = print_
    return SeenFile(
        path=path,
        size=size,
        mtime_ns=mtime_ns,
        ctime_ns=0,
        device=device,
        inode=inode,
        owner=0,
        links=1,
        first_seen=_EPOCH,
    )


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
